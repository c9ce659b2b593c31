"""Rules about network and training: facts in, a choice and its reason out. Every bound is a name, with its source.

"Measured" means this project's own tables (benchmarks/README.md, docs/recipes.md).
"""

import math

from medclassify.planning.choice import Choice
from medclassify.planning.facts import Hardware, ImageFacts, StepCost

LARGER_FROM, LARGEST_FROM = 5_000, 50_000
"""Train images. What a larger network gains over a smaller one shrinks with the data it is fine-tuned on: on chest radiographs
the gain is within the noise at CheXpert's 200,000 images already (Ke et al. 2021, CHIL, arXiv:2101.06871)."""
LARGER_GIB, LARGEST_GIB = 8, 16
CPU_SIZE, GPU_SIZE, LARGEST_SIZE = 224, 320, 384
"""Pixels. Most findings of chest radiographs level off between 256 and 448 (Sabottke & Spieler 2020, Radiology: AI 2:e190015);
cost grows with the square."""
CPU_BATCH, GPU_BATCH = 32, 128
"""A GPU waits for launches below about 128 images (640 operations a step, measured); a CPU gains nothing beyond 32."""
STEPS_AN_EPOCH = 16
"""Fewer weight updates an epoch and the epochs to choose from lie far apart."""
LEAST_BATCH = 8
"""BatchNorm's statistics over fewer images are noise (Wu & He 2018, Group Normalization, figure 1)."""
CPU_SHARE, GPU_SHARE = 0.5, 0.8
"""Of the memory that a step may take; the rest is other programs', the page cache's and the allocator's."""
ENOUGH_UPDATES = 160
"""Weight updates after which fine-tuning had levelled off (NIH, 500 train images, batch 32, 10 epochs: measured)."""
FEWEST_EPOCHS, USUAL_EPOCHS, MOST_EPOCHS = 6, 10, 30
MANY_IMAGES = 20_000
"""Train images from which six epochs are more than 900 updates at any batch size here."""
TUNED_LR, TUNED_BATCH = 3e-4, 32
"""Measured with AdamW and pretrained weights (configs/generic.yaml)."""
RANDOM_LR = 2e-3
"""Measured from random weights (configs/chest_xray.yaml)."""
EMA_SHARE = 0.3
"""The average looks back over this share of all updates, so exp(−1/0.3) = 4 % of it is what training began with."""
EMA_FEWEST, EMA_MOST = 50, 0.9998
RARE_A_BATCH = 0.5
"""Expected positives a batch below which most batches hold none."""
PROBE_IMAGES, PROBE_POSITIVES = 100, 20
"""Train images, and train positives of the commonest finding, below which only a linear head is fitted: on 500 radiographs
fine-tuning gained .01 AUROC over frozen features (measured), and that gain shrinks with the data (Kumar et al. 2022)."""


def choose_backbone(train_images: int, hardware: Hardware) -> Choice:
    """The network, by how much it can learn from and what it runs on."""
    where = f"{train_images:,} train images, " + (
        f"a GPU with {hardware.gpu_gib:.0f} GiB" if hardware.gpu else f"no GPU, {hardware.cores} cores"
    )
    if hardware.gpu_gib >= LARGEST_GIB and train_images >= LARGEST_FROM:
        return Choice("model.backbone", "tf_efficientnetv2_s", f"{where}: enough for the larger V2-S")
    if hardware.gpu_gib >= LARGER_GIB and train_images >= LARGER_FROM:
        return Choice("model.backbone", "tf_efficientnetv2_b3", f"{where}: enough for B3, not for more")
    return Choice(
        "model.backbone", "tf_efficientnetv2_b0", f"{where}: the smallest V2; a larger one costs more and gains little here"
    )


def choose_image_size(backbone: str, hardware: Hardware, images: ImageFacts) -> Choice:
    """The side of the input: what the machine affords, never more than the images hold."""
    wanted = CPU_SIZE if not hardware.gpu else LARGEST_SIZE if "v2_s" in backbone else GPU_SIZE
    held = max(images.rows[1], images.columns[1])
    seen = f"half of the images are {held} pixels or more along their longer side"
    if held < wanted:
        size = max(64, held // 32 * 32)
        return Choice("data.image_size", size, f"{seen}, so more than {size} would only enlarge them")
    cost = "on a GPU" if hardware.gpu else "without a GPU (384 would cost three times as much)"
    return Choice("data.image_size", wanted, f"{seen}; {wanted} {cost}. For small findings such as nodules try more")


def choose_batch_size(train_images: int, cost: StepCost, hardware: Hardware) -> Choice:
    """Images a step: enough updates an epoch, enough images for BatchNorm, and no more than memory holds."""
    cap = GPU_BATCH if hardware.gpu else CPU_BATCH
    batch = min(cap, max(LEAST_BATCH, _power_of_two(train_images / STEPS_AN_EPOCH)))
    room = memory_room(hardware) - cost.state_bytes
    held = _power_of_two(max(room / max(cost.activation_bytes, 1), 2))
    mb = cost.activation_bytes / 2**20
    if held < batch:
        return Choice(
            "data.batch_size",
            held,
            f"an image's activations take {mb:.0f} MiB (measured) and {memory_room(hardware) / 2**30:.1f} GiB may be used: "
            f"more than {held} would not fit",
        )
    updates = math.ceil(train_images / batch)
    return Choice(
        "data.batch_size",
        batch,
        f"{updates} updates an epoch on {train_images:,} images; {memory_needed(batch, cost) / 2**30:.1f} GiB of "
        f"{memory_room(hardware) / 2**30:.1f} that may be used ({mb:.0f} MiB an image, measured)",
    )


def choose_accumulation(batch: int) -> Choice | None:
    """Batches an update, where memory allows only small ones."""
    if batch >= LEAST_BATCH:
        return None
    count = 2 * LEAST_BATCH // batch
    return Choice(
        "trainer.accumulate_grad_batches", count, f"memory allows {batch} images a step: {count} steps are one update"
    )


def choose_epochs(train_images: int, updates_an_epoch: int) -> Choice:
    """Upper limit of epochs; patience ends training earlier."""
    if train_images >= MANY_IMAGES:
        return Choice(
            "trainer.max_epochs", FEWEST_EPOCHS, f"{updates_an_epoch:,} updates an epoch: few epochs are many updates"
        )
    needed = math.ceil(ENOUGH_UPDATES / max(updates_an_epoch, 1))
    epochs = min(MOST_EPOCHS, max(USUAL_EPOCHS, needed))
    reason = f"{updates_an_epoch} updates an epoch, {epochs * updates_an_epoch} in all; {ENOUGH_UPDATES} had been enough on 500"
    return Choice("trainer.max_epochs", epochs, f"{reason} radiographs")


def choose_rates(batch: int, pretrained: bool) -> tuple[Choice, Choice]:
    """Peak learning rates of backbone and head: with the root of the batch (Malladi et al. 2022, arXiv:2205.10287)."""
    if not pretrained:
        why = "random weights have no features to lose (configs/chest_xray.yaml)"
        return Choice("optimizer.lr", RANDOM_LR, why), Choice("optimizer.head_lr", RANDOM_LR, "as the backbone's")
    rate = float(f"{TUNED_LR * math.sqrt(batch / TUNED_BATCH):.2g}")
    why = f"{TUNED_LR:g} was measured at a batch of {TUNED_BATCH}; with AdamW it goes with the root of the batch ({batch} here)"
    return (
        Choice("optimizer.lr", rate, why),
        Choice("optimizer.head_lr", rate, "as the backbone's: the head has been fitted by itself before"),
    )


def choose_recipe(train_images: int, most_positives: int, pretrained: bool) -> Choice:
    """Which weights move when."""
    if not pretrained:
        return Choice("optimizer.recipe", "full", "random weights have no features for a head to stand on")
    seen = f"{train_images:,} train images, {most_positives:,} positives of the commonest finding"
    if train_images < PROBE_IMAGES or most_positives < PROBE_POSITIVES:
        return Choice(
            "optimizer.recipe", "linear_probe", f"{seen}: too few to move a backbone by, so a head on frozen features"
        )
    return Choice("optimizer.recipe", "head_then_full", f"{seen}: a fitted head does not distort the features it stands on")


def choose_batch_norm(batch: int, pretrained: bool) -> Choice:
    """Whether BatchNorm learns."""
    if pretrained and batch < 2 * LEAST_BATCH:
        return Choice(
            "optimizer.batch_norm", "frozen", f"statistics over {batch} images are noise; the pretrained ones are not"
        )
    return Choice("optimizer.batch_norm", "auto", f"trained: {batch} images a step carry its statistics")


def choose_ema(updates: int) -> Choice:
    """Decay of the weights' moving average, by how many updates there are to average over."""
    if updates < EMA_FEWEST:
        return Choice("optimizer.ema_decay", 0.0, f"off: {updates} updates in all are too few to average over")
    decay = min(EMA_MOST, round(1 - 1 / (EMA_SHARE * updates), 4))
    return Choice("optimizer.ema_decay", decay, f"averages over about {1 / (1 - decay):.0f} of {updates:,} updates")


def choose_weighting(finding: str, prevalence: float, batch: int) -> Choice:
    """Whether positives weigh more, by the rarest finding.

    Weights do not improve ranking and spoil probabilities (van den Goorbergh et al. 2022, JAMIA 29:1525–1534), which the
    calibrator mends; they pay only where most updates would otherwise see no positive at all.
    """
    expected = prevalence * batch
    seen = f"{finding}, the rarest, has {expected:.2g} positives in a batch of {batch} ({100 * prevalence:.2g} %)"
    if expected < RARE_A_BATCH:
        return Choice(
            "optimizer.class_weighting",
            "balanced",
            f"{seen}: most updates would see none; calibration mends the probabilities where it is eligible",
        )
    return Choice("optimizer.class_weighting", "none", f"{seen}: weights would not rank better, and spoil probabilities")


def memory_room(hardware: Hardware) -> float:
    """Bytes that a step may take."""
    return 2**30 * (GPU_SHARE * hardware.gpu_gib if hardware.gpu else CPU_SHARE * hardware.memory_gib)


def memory_needed(batch: int, cost: StepCost) -> float:
    """Bytes that a step takes."""
    return cost.state_bytes + batch * cost.activation_bytes


def _power_of_two(most: float) -> int:
    return 2 ** int(math.log2(max(most, 1)))
