"""Every rule on both sides of its bound, and every reason with the numbers it was made from."""

from dataclasses import replace
from typing import Any

import pytest

from medclassify.planning import Choice, Choices, DataFacts, FindingFacts, Hardware, ImageFacts, SplitCounts, StepCost
from medclassify.planning import data_rules as data
from medclassify.planning import training_rules as training
from medclassify.planning.data_rules import LARGE_FRACTIONS, SMALL_FRACTIONS

CPU = Hardware(cores=2, memory_gib=16)
COST = StepCost(train_seconds=0.1, forward_seconds=0.02, activation_bytes=60 * 2**20, state_bytes=2**27, steps=5)
IMAGES = ImageFacts(
    read=100,
    rows=(500, 2000, 3000),
    columns=(500, 1500, 2500),
    shorter_side=(500, 1500, 2500),
    bits={12: 100},
    decoded=20,
    failed={},
    windowed=20,
    grey=(0.5, 0.2),
    warned=0,
    seconds=0.1,
)


def gpu(gib: float) -> Hardware:
    return Hardware(cores=8, memory_gib=64, gpu="a GPU", gpu_gib=gib)


def finding(
    patients: int = 500, *, name: str = "nodule", train: tuple[int, int] = (50, 50), uncertain: int = 0
) -> FindingFacts:
    counts = SplitCounts(20, 80, 20, 80)
    splits = {"train": SplitCounts(*train, *train), "tune": counts, "calibrate": counts, "test": counts}
    return FindingFacts(name, patients, 1000 - patients, uncertain, 0, patients, splits)


def facts(**changes: Any) -> DataFacts:
    plain = DataFacts(
        images=1000,
        patients=800,
        most_images=3,
        split_images={"train": 600, "tune": 100, "calibrate": 100, "test": 200},
        published=False,
        patient_source={"labels": 1000},
        findings=(finding(),),
        modalities={"radiographs (CR/DX/RG)": 1000},
        views={"PA": 1000},
        attributes={},
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("train", "hardware", "backbone"),
    [
        (4_999, gpu(80), "tf_efficientnetv2_b0"),
        (5_000, gpu(80), "tf_efficientnetv2_b3"),
        (5_000, gpu(7.9), "tf_efficientnetv2_b0"),
        (49_999, gpu(16), "tf_efficientnetv2_b3"),
        (50_000, gpu(16), "tf_efficientnetv2_s"),
        (50_000, gpu(15.9), "tf_efficientnetv2_b3"),
        (1_000_000, CPU, "tf_efficientnetv2_b0"),
    ],
)
def test_the_backbone_grows_with_data_and_gpu(train: int, hardware: Hardware, backbone: str) -> None:
    choice = training.choose_backbone(train, hardware)
    assert choice.value == backbone
    assert f"{train:,} train images" in choice.reason


@pytest.mark.parametrize(
    ("backbone", "hardware", "rows", "size"),
    [
        ("tf_efficientnetv2_b0", CPU, 2000, 224),
        ("tf_efficientnetv2_b0", CPU, 224, 224),
        ("tf_efficientnetv2_b0", CPU, 223, 192),
        ("tf_efficientnetv2_b0", CPU, 30, 64),
        ("tf_efficientnetv2_b3", gpu(16), 2000, 320),
        ("tf_efficientnetv2_s", gpu(16), 2000, 384),
        ("tf_efficientnetv2_s", gpu(16), 383, 352),
    ],
)
def test_the_input_is_never_larger_than_the_images(backbone: str, hardware: Hardware, rows: int, size: int) -> None:
    images = replace(IMAGES, rows=(rows, rows, rows), columns=(10, 10, 10))
    choice = training.choose_image_size(backbone, hardware, images)
    assert choice.value == size
    assert f"{rows} pixels" in choice.reason


@pytest.mark.parametrize(
    ("train", "hardware", "batch"),
    [(100, CPU, 8), (255, CPU, 8), (256, CPU, 16), (511, CPU, 16), (512, CPU, 32), (10**6, CPU, 32), (10**6, gpu(80), 128)],
)
def test_the_batch_leaves_enough_updates(train: int, hardware: Hardware, batch: int) -> None:
    assert training.choose_batch_size(train, COST, hardware).value == batch


def test_the_batch_fits_into_memory_and_small_ones_are_accumulated_with_frozen_statistics() -> None:
    just = Hardware(2, memory_gib=2 * (2**27 + 32 * COST.activation_bytes) / 2**30)
    assert training.choose_batch_size(10**6, COST, just).value == 32
    less = replace(just, memory_gib=just.memory_gib * 0.99)
    choice = training.choose_batch_size(10**6, COST, less)
    assert choice.value == 16 and "60 MiB (measured)" in choice.reason
    assert training.choose_accumulation(8) is None
    accumulation = training.choose_accumulation(4)
    assert accumulation is not None and accumulation.value == 4
    assert training.choose_batch_norm(15, pretrained=True).value == "frozen"
    assert training.choose_batch_norm(16, pretrained=True).value == "auto"
    assert training.choose_batch_norm(4, pretrained=False).value == "auto"  # random statistics are not worth keeping


@pytest.mark.parametrize(
    ("train", "updates", "epochs"), [(500, 16, 10), (500, 15, 11), (40, 5, 30), (19_999, 600, 10), (20_000, 600, 6)]
)
def test_epochs_give_enough_updates_within_limits(train: int, updates: int, epochs: int) -> None:
    assert training.choose_epochs(train, updates).value == epochs


def test_rates_go_with_the_root_of_the_batch_and_with_what_training_starts_from() -> None:
    assert [choice.value for choice in training.choose_rates(32, pretrained=True)] == [3e-4, 3e-4]
    assert training.choose_rates(128, pretrained=True)[0].value == 6e-4
    assert training.choose_rates(8, pretrained=True)[0].value == 1.5e-4
    assert training.choose_rates(8, pretrained=False)[0].value == 2e-3


@pytest.mark.parametrize(
    ("images", "positives", "pretrained", "recipe"),
    [
        (100, 20, True, "head_then_full"),
        (99, 20, True, "linear_probe"),
        (100, 19, True, "linear_probe"),
        (99, 19, False, "full"),
    ],
)
def test_the_recipe_goes_with_what_there_is_to_learn_from(images: int, positives: int, pretrained: bool, recipe: str) -> None:
    assert training.choose_recipe(images, positives, pretrained).value == recipe


def test_the_moving_average_goes_with_the_updates() -> None:
    assert training.choose_ema(49).value == 0.0
    assert training.choose_ema(50).value == pytest.approx(1 - 1 / 15, abs=1e-4)
    assert training.choose_ema(160).value == pytest.approx(0.979, abs=1e-3)  # the shipped config's .98
    assert training.choose_ema(10**6).value == 0.9998


def test_positives_weigh_more_only_where_batches_hold_none() -> None:
    assert training.choose_weighting("nodule", 0.5 / 32, 32).value == "none"
    rare = training.choose_weighting("nodule", 0.49 / 32, 32)
    assert rare.value == "balanced" and "nodule" in rare.reason


@pytest.mark.parametrize(
    ("patients", "fractions"),
    [(99, SMALL_FRACTIONS), (100, data.DEFAULT_FRACTIONS), (1999, data.DEFAULT_FRACTIONS), (2000, LARGE_FRACTIONS)],
)
def test_fractions_follow_the_rarest_finding_that_can_be_measured(patients: int, fractions: dict[str, float]) -> None:
    hopeless = finding(19, name="hernia")
    choice = data.choose_fractions((finding(5000, name="effusion"), finding(patients), hopeless), published=False)
    assert choice.value == fractions
    assert sum(choice.value.values()) == pytest.approx(1)
    assert f"nodule, the rarest finding that can be measured, has {patients} positive patients" in choice.reason
    only = data.choose_fractions((hopeless,), published=True)
    assert only.value == SMALL_FRACTIONS and "own split is kept" in only.reason


def test_findings_that_cannot_be_learnt_are_left_out_by_name() -> None:
    kept, few, one_class = finding(5), finding(4, name="hernia"), finding(50, name="mass", train=(30, 0))
    choice = data.choose_findings((kept, few, one_class))
    assert choice.value == ["nodule"]
    assert "hernia (4 patients), mass (50 patients)" in choice.reason
    assert data.choose_findings((kept,)).reason == "every finding of the labels"


def test_windows_are_mixed_by_no_one() -> None:
    assert data.choose_window(replace(IMAGES, windowed=18)).value == "voi"
    assert data.choose_window(replace(IMAGES, windowed=17)).value == "percentile"
    assert data.choose_window(replace(IMAGES, windowed=0)).value == "voi"


@pytest.mark.parametrize(
    ("modalities", "findings", "windows"),
    [
        ({"radiographs (CR/DX/RG)": 5}, ["Subdural"], None),
        ({"CT": 5}, ["Subdural"], ["brain", "subdural", "bone"]),
        ({"CT": 5}, ["Pulmonary embolism"], ["lung", "mediastinum", "embolism"]),
        ({"CT": 5}, ["nodule"], ["lung", "mediastinum", "bone"]),
    ],
)
def test_ct_windows_follow_what_is_looked_for(modalities: dict, findings: list[str], windows: list[str] | None) -> None:
    choice = data.choose_ct_windows(modalities, findings)
    assert (choice.value if choice else None) == windows


def test_attributes_need_two_subgroups_that_can_be_compared() -> None:
    attributes = {
        "sex": {"F": 10, "M": 10, "": 3},
        "view": {"PA": 100, "AP": 9},
        "site": {"": 120},
        "scanner_serial": {f"s{n}": 30 for n in range(21)},
        "ward": {f"w{n}": 30 for n in range(20)},
    }
    choice = data.choose_attributes(facts(attributes=attributes))
    assert choice.value == ["sex", "ward"]
    assert "sex (F 10, M 10, missing 3)" in choice.reason
    assert "view (PA 100, AP 9), site (not known), scanner_serial (21 values)" in choice.reason


def test_uncertain_labels_are_counted() -> None:
    assert data.choose_uncertain((finding(),)).reason == "there are no labels of -1"
    choice = data.choose_uncertain((finding(uncertain=3), finding(name="edema", uncertain=9)))
    assert choice.value == "ignore" and "12 labels are -1 (most: edema, 9)" in choice.reason


def test_what_a_person_fixed_is_kept_and_later_rules_build_on_it() -> None:
    choices = Choices({"data.batch_size": 4, "audit.margin": 0.1, "model.backbone": "a"})
    assert choices.add(Choice("data.batch_size", 32, "of memory")) == 4
    assert choices.add(Choice("model.backbone", "a", "it is best")) == "a"
    assert choices.add(None) is None
    batch, backbone, margin = choices.finish()
    assert batch == Choice("data.batch_size", 4, "as you asked (the rules: 32, for of memory)")
    assert backbone.reason == "it is best" and margin == Choice("audit.margin", 0.1, "as you asked")
