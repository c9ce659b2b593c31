"""Scores against regions: perfect, missed and silent maps; baselines; tables with intervals and counts."""

import numpy as np
import pytest

from medclassify.errors import ExplainError
from medclassify.explain import ScoredRegion, localisation_table, region_of_boxes, score_region, uniform_chance


@pytest.fixture
def region() -> np.ndarray:
    return region_of_boxes(np.array([[10.0, 20.0, 30.0, 10.0]]), rows=100, columns=200)


def test_a_box_covers_its_pixels_and_at_least_one(region) -> None:
    assert region.sum() == 300 and region[20:30, 10:40].all()
    tiny = region_of_boxes(np.array([[199.6, 99.9, 0.1, 0.1], [0.0, 0.0, 1.5, 1.0]]), rows=100, columns=200)
    assert tiny.sum() == 3 and tiny[99, 199] and tiny[0, :2].all()


def test_a_perfect_map_scores_one(region) -> None:
    found = score_region(region.astype(np.float32), region, limit=1.0)
    assert (found.pointing, found.energy, found.iou, found.silent) == (1.0, 1.0, 1.0, False)
    assert found.area == pytest.approx(300 / 20000)


def test_a_map_elsewhere_misses(region) -> None:
    found = score_region((~region).astype(np.float32), region, limit=1.0)
    assert (found.pointing, found.energy, found.iou) == (0.0, 0.0, 0.0)


def test_what_speaks_against_is_not_counted_and_a_silent_map_is_a_miss(region) -> None:
    saliency = np.where(region, 0.2, -5.0).astype(np.float32)
    assert score_region(saliency, region, limit=1.0).energy == 1.0
    assert score_region(saliency, region, limit=1.0).iou == 0.0  # it never reaches half of the model's limit
    silent = score_region(np.full(region.shape, -1, np.float32), region, limit=1.0)
    assert silent.silent and silent.pointing == 0.0 and silent.energy == 0.0


def test_chance_is_what_a_shuffled_map_reaches(region) -> None:
    rng = np.random.default_rng(0)
    saliency = (rng.random(region.shape) < 0.1).astype(np.float32)
    chance = uniform_chance(saliency, region, limit=1.0)
    energies, overlaps = [], []
    for _ in range(200):
        drawn = rng.permutation(saliency.ravel()).reshape(region.shape)
        found = score_region(drawn, region, limit=1.0)
        energies.append(found.energy)
        overlaps.append(found.iou)
    assert np.mean(energies) == pytest.approx(chance["energy"], rel=0.05) == pytest.approx(300 / 20000, rel=0.1)
    assert np.mean(overlaps) == pytest.approx(chance["iou"], rel=0.05)


def test_another_size_and_an_empty_region_are_refused(region) -> None:
    with pytest.raises(ExplainError, match=r"saliency is \(50, 50\) and region \(100, 200\): both must be the original"):
        score_region(np.zeros((50, 50), np.float32), region, 1.0)
    with pytest.raises(ExplainError, match="region is empty"):
        score_region(np.zeros(region.shape, np.float32), np.zeros_like(region), 1.0)


def scored(number: int, hit: float, sex: str = "F") -> ScoredRegion:
    values = {"pointing": hit, "energy": 0.5 * hit, "iou": 0.2 * hit}
    baseline = dict.fromkeys(values, 0.1)
    return ScoredRegion(f"s{number}", f"p{number // 2}", "effusion", {"sex": sex}, values, baseline, baseline, hit == 0)


def test_the_table_counts_patients_and_sets_chance_beside_each_number() -> None:
    table = localisation_table([scored(number, 1.0, "F" if number < 40 else "M") for number in range(46)]).set_index(
        ["attribute", "subgroup", "metric"]
    )
    whole = table.loc["all", "all", "pointing"]
    assert (whole["n"], whole["n_patients"], whole["estimate"], whole["status"]) == (46, 23, 1.0, "ok")
    assert whole["chance"] == pytest.approx(0.1) and whole["above_chance_low"] == pytest.approx(0.9)
    few = table.loc["sex", "M", "energy"]
    assert (
        few["n_patients"] == 3
        and few["status"] == "not_estimable"
        and np.isnan(few["estimate"])
        and few["note"] == "fewer than 5 patients"
    )


def test_patients_are_resampled_and_silent_maps_are_told() -> None:
    twice = localisation_table([scored(number, float(number // 2 % 2)) for number in range(40)]).iloc[0]
    assert twice["estimate"] == 0.5 and twice["note"] == "20 maps speak nowhere for the finding and count as misses"
    half_width = (twice["ci_high"] - twice["ci_low"]) / 2
    assert half_width == pytest.approx(1.96 * 0.5 / np.sqrt(20), rel=0.15)  # of 20 patients, not of 40 images
