"""The Lightning module: one EfficientNet, its loss, its optimiser, and the AUROC that chooses the epoch."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningModule
from sklearn.metrics import roc_auc_score
from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.config import OptimizerConfig
from medclassify.data import PreparedDataModule
from medclassify.training.freezing import freeze_batch_norm, hold_still, open_stages
from medclassify.training.group_dro import GroupDRO
from medclassify.training.loss import losses_of, mean_of_known
from medclassify.training.mixup import mixed
from medclassify.training.parameters import opening_epochs, parameter_groups, stages_of
from medclassify.training.ranks import gather_once, share_buffers

_HEAVIEST_POSITIVE = 10.0


class Classifier(LightningModule):
    """Fine-tunes a network.

    Args:
        network: float32 (B, 3, S, S) → (B, K).
        findings: K names.
        task: ``multilabel`` or ``multiclass``.
        optimizer: How weights are learnt, as ``settle_recipe`` leaves it; an open ``batch_norm`` is trained.
        weights: (K,), how much a positive of each finding weighs.
        group_dro: Weighs the losses of subgroups; they all weigh by their size when left out.
    """

    def __init__(
        self,
        network: EfficientNet,
        findings: Sequence[str],
        task: str,
        optimizer: OptimizerConfig,
        weights: Tensor,
        group_dro: GroupDRO | None = None,
    ) -> None:
        super().__init__()
        self.network, self.findings, self.settings = network, tuple(findings), optimizer
        self.losses, self.tune_losses = losses_of(task, optimizer.loss), losses_of(task, "cross_entropy")
        self.mixup, self.group_dro = optimizer.mixup, group_dro
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)
        self._tune: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []  # index, logits, target, mask of this rank's batches
        self._best = (-1.0, 0.0)  # the best tune AUROC and its standard error
        if optimizer.batch_norm == "frozen":
            freeze_batch_norm(network)

    def forward(self, images: Tensor) -> Tensor:
        """float32 (B, 3, S, S) normalised images → (B, K) logits."""
        return self.network(images)

    def train(self, mode: bool = True) -> "Classifier":
        """As usual, except that BatchNorm which does not learn stays in evaluation mode: Lightning calls this every epoch."""
        super().train(mode)
        hold_still(self.network)
        return self

    def on_fit_start(self) -> None:
        """Ranks start from rank 0's statistics, as they do from its weights."""
        share_buffers(self)

    def on_train_start(self) -> None:
        """Lightning leaves the hook of an epoch out where a run goes on in its middle."""
        if self.trainer.fit_loop.restarted_mid_epoch:
            self.on_train_epoch_start()

    def on_train_epoch_start(self) -> None:
        """Order, augmentation and open stages of an epoch depend on its number, so that a resumed run repeats them."""
        if isinstance(self._data, PreparedDataModule):
            self._data.seed_epoch(self.current_epoch)
        if self.settings.recipe == "gradual":
            opening = opening_epochs(len(stages_of(self.network)), self.trainer.max_epochs or 1)
            count = sum(epoch <= self.current_epoch for epoch in opening)
            open_stages(self.network, count, norms_learn=self.settings.batch_norm != "frozen")
            self.train()

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Dropout depends on the batch's number and the rank alone: loaders draw from the same generator too."""
        seed = self._data.seed if isinstance(self._data, PreparedDataModule) else 0
        number = self.current_epoch * int(self.trainer.num_training_batches) + batch_idx
        torch.manual_seed(seed * 1_000_003 + number + (self.global_rank << 32))

    @property
    def _data(self) -> Any:
        return getattr(self.trainer, "datamodule", None)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        if self.mixup:
            batch = mixed(batch, self.mixup)
        logits, smoothing = self(batch["image"]), self.settings.label_smoothing
        losses, known = self.losses(logits, batch["target"], batch["mask"], self.weights, smoothing)
        if self.group_dro is None:
            loss = mean_of_known(losses, known)
        else:
            loss = self.group_dro(losses, known, batch["index"])
            self.log_dict(self.group_dro.weights(), on_step=True, on_epoch=False)  # an epoch's row has its last
        self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(batch["image"]))
        return loss

    def on_validation_epoch_start(self) -> None:
        """All ranks score with one network: rank 0's statistics, which are also the ones that are saved."""
        share_buffers(self.network)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        targets, mask = batch["target"], batch["mask"]
        logits = self(batch["image"]).float() if len(targets) else torch.zeros_like(targets)  # a rank may have no sample
        self._tune.append((batch["index"].to(logits.device), logits, targets, mask))

    def on_validation_epoch_end(self) -> None:
        """Brings the ranks' shares together, every sample once, and judges the epoch; every rank comes to the same."""
        size = len(self._data.tune_set)
        indices, *rows = (torch.cat(parts) for parts in zip(*self._tune, strict=True))
        self._tune.clear()
        self._judge(*gather_once(indices, rows, size))

    def _judge(self, logits: Tensor, targets: Tensor, mask: Tensor) -> None:
        """Logs loss and AUROC, and ``keep``: the epoch's number where it is within one standard error of the best so far."""
        # cross-entropy whatever is trained with: a proper score, and comparable between losses
        losses = self.tune_losses(logits.double(), targets.double(), mask, torch.ones(targets.shape[1]).double(), 0.0)
        self.log("tune_loss", float(mean_of_known(*losses)), prog_bar=True)
        arrays = logits.double().numpy(), targets.double().numpy(), mask.numpy() > 0
        score = macro_auroc(*arrays)
        if score is None:
            return
        self._best = max(self._best, (score, macro_standard_error(*arrays)))
        good_enough = score >= self._best[0] - self._best[1]
        self.log("tune_auroc", score, prog_bar=True)
        self.log("keep", float(self.current_epoch) if good_enough else -1.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["tune_best"], checkpoint["ranks"] = self._best, self.trainer.world_size

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._best = tuple(checkpoint["tune_best"])

    def configure_optimizers(self) -> Any:
        """AdamW, a learning rate a stage; biases and normalisation do not decay. One warm-up, then a cosine to zero."""
        settings = self.settings
        optimizer = torch.optim.AdamW(parameter_groups(self.network, settings), fused=True)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, total, settings.warmup_share))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warmup_cosine(step: int, total: int, warmup_share: float) -> float:
    """Share of the peak learning rate at a step: a linear rise, then half a cosine down to 0 (Loshchilov & Hutter 2017)."""
    warmup = max(1, round(total * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def macro_auroc(logits: NDArray, targets: NDArray, mask: NDArray[np.bool_]) -> float | None:
    """Mean AUROC over the findings that have both classes among their known labels; None where no finding has."""
    scores = [auroc for auroc, _, _ in _aurocs(logits, targets, mask)]
    return float(np.mean(scores)) if scores else None


def macro_standard_error(logits: NDArray, targets: NDArray, mask: NDArray[np.bool_]) -> float:
    """Standard error of ``macro_auroc`` (Hanley & McNeil 1982, formula 1), findings taken as independent; 0 without any."""
    variances = []
    for auroc, positives, negatives in _aurocs(logits, targets, mask):
        q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
        spread = auroc * (1 - auroc) + (positives - 1) * (q1 - auroc**2) + (negatives - 1) * (q2 - auroc**2)
        variances.append(max(spread, 0.0) / (positives * negatives))
    return math.sqrt(sum(variances)) / len(variances) if variances else 0.0


def _aurocs(logits: NDArray, targets: NDArray, mask: NDArray[np.bool_]) -> list[tuple[float, float, float]]:
    """AUROC, positives and negatives of each finding that has both classes."""
    found = []
    for k, known in enumerate(mask.T):
        positives = float(targets[known, k].sum())
        if 0 < positives < known.sum():
            auroc = float(roc_auc_score(targets[known, k], logits[known, k]))
            found.append((auroc, positives, float(known.sum()) - positives))
    return found


def class_weights(targets: NDArray, mask: NDArray[np.bool_], weighting: str) -> Tensor:
    """How much a positive of each finding weighs in the loss: float32 (K,).

    ``balanced`` makes all positives together weigh as much as all negatives, at most tenfold: beyond that a handful of
    images would steer the network.
    """
    if weighting == "none":
        return torch.ones(targets.shape[1])
    positives = (np.where(mask, targets, 0)).sum(axis=0)
    negatives = mask.sum(axis=0) - positives
    return torch.from_numpy(np.clip(negatives / np.maximum(positives, 1), 1 / _HEAVIEST_POSITIVE, _HEAVIEST_POSITIVE)).float()
