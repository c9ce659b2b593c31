"""Chests differ as people do."""

import numpy as np
import pytest

from medclassify.phantom import draw_anatomy
from medclassify.phantom.bones import build_bones
from medclassify.phantom.chest import build_chest
from medclassify.phantom.grid import SPACING, TOP, X
from medclassify.phantom.vessels import build_vessels


def draw(seed: int, sex: str = "M", age: int = 50, ratio: float = 0.45):
    return draw_anatomy(np.random.default_rng(seed), sex, age, ratio)


def test_the_same_generator_gives_the_same_person() -> None:
    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_men_are_larger_and_women_have_breasts() -> None:
    women, men = [draw(seed, "F") for seed in range(40)], [draw(seed, "M") for seed in range(40)]
    assert np.mean([a.cage_half_width for a in women]) < np.mean([a.cage_half_width for a in men]) - 5
    assert all(a.breast > 10 for a in women)
    assert all(a.breast == 0 for a in men)


def test_age_takes_bone_away_and_adds_calcium_and_a_wider_aorta() -> None:
    young, old = [draw(seed, age=25) for seed in range(40)], [draw(seed, age=88) for seed in range(40)]
    for name, sign in (("bone", -1), ("calcification", 1), ("aorta", 1)):
        assert sign * (np.mean([getattr(a, name) for a in old]) - np.mean([getattr(a, name) for a in young])) > 0.1, name


@pytest.mark.parametrize("ratio", [0.38, 0.5, 0.62])
def test_the_hearts_shadow_has_the_ratio_it_was_given(ratio: float) -> None:
    anatomy = draw(1, ratio=ratio)
    chest = build_chest(anatomy, heart_scale=1.0, lift=0.0, arms=False)
    columns = np.nonzero(chest.heart.any(axis=0))[0]
    assert np.ptp(columns) * SPACING / (2 * anatomy.cage_half_width) == pytest.approx(ratio, abs=0.01)
    assert 2 * chest.half_width.max() == pytest.approx(2 * anatomy.cage_half_width, rel=0.01)


def test_the_heart_lies_more_to_the_left() -> None:
    chest = build_chest(draw(1), heart_scale=1.0, lift=0.0, arms=False)
    x = X[0][chest.heart.any(axis=0)]
    assert abs(x.max()) > 1.4 * abs(x.min())


def test_a_shallow_breath_lifts_the_diaphragm_and_leaves_less_lung() -> None:
    deep = build_chest(draw(2), heart_scale=1.0, lift=0.0, arms=False)
    shallow = build_chest(draw(2), heart_scale=1.0, lift=25.0, arms=False)
    assert shallow.dome.min() == pytest.approx(deep.dome.min() - 25, abs=0.1)
    assert shallow.lung.sum() < 0.95 * deep.lung.sum()


def test_no_layer_is_negative_and_lungs_lie_inside_the_cage() -> None:
    chest = build_chest(draw(5, "F"), heart_scale=1.07, lift=15.0, arms=True)
    assert chest.tissue.min() >= 0
    assert chest.lung.min() >= 0
    assert not chest.lung[np.broadcast_to(np.abs(X) > chest.half_width + 1, chest.lung.shape)].any()
    liters = chest.lung.sum() * SPACING**2 / 1e6
    assert 2.5 < liters < 7.5


def test_bones_are_kept_and_cannot_be_spoilt() -> None:
    anatomy = draw(6)
    bones = build_bones(anatomy, high_clavicles=False, scapulae_in=False)
    assert bones is build_bones(anatomy, high_clavicles=False, scapulae_in=False)
    with pytest.raises(ValueError, match="read-only"):
        bones += 1
    with pytest.raises(ValueError, match="read-only"):
        build_vessels(anatomy)[0, 0] = 1


def test_ribs_repeat_down_the_lung() -> None:
    anatomy = draw(7)
    bones = build_bones(anatomy, high_clavicles=False, scapulae_in=False)
    rows = slice(int((30 - TOP) / SPACING), int((170 - TOP) / SPACING))
    column = bones[rows, int((-0.35 * anatomy.cage_half_width + 210) / SPACING)]
    crossings = np.count_nonzero(np.diff((column > 1.5).astype(int)) == 1)
    assert 4 <= crossings <= 10
