"""Each finding does to the rays what its physics says, where its mask says."""

from dataclasses import replace

import numpy as np
import pytest

from medclassify.phantom import FINDINGS, SITES, Exposure, Lesion, Scene, draw_anatomy, render_radiograph
from medclassify.phantom.findings import DRAWERS

DRAWN = tuple(DRAWERS)


def scene(
    finding: str = "", severity: float = 0.7, *, contrast: float = 1.0, seed: int = 5, site: str = "A", side: int = 1
) -> Scene:
    lesions = {finding: Lesion(severity=severity, side=side, seed=seed, contrast=contrast)} if finding else {}
    return Scene(
        anatomy=draw_anatomy(np.random.default_rng(11), "M", 50, 0.44),
        site=SITES[site],
        view="PA",
        exposure=Exposure(kvp=120, mas=4.0, rotation=0.0, shift=(0.0, 0.0), magnification=1.0, seed=1),
        lesions=lesions,
    )


def grey(shown: Scene) -> np.ndarray:
    """Stored values with dense tissue high, whatever the site's polarity."""
    pixels = render_radiograph(shown).pixels.astype(np.float64)
    return pixels if shown.site.photometric == "MONOCHROME2" else 4095 - pixels


def change(shown: Scene) -> tuple[float, float, np.ndarray]:
    """Mean change of grey inside and outside the finding's mask, and the mask."""
    (mask,) = render_radiograph(shown).masks.values()
    difference = grey(shown) - grey(replace(shown, lesions={}))
    return difference[mask].mean(), np.abs(difference[~mask]).mean(), mask


@pytest.mark.parametrize("site", ["A", "B"])
@pytest.mark.parametrize(("finding", "sign"), [("effusion", 1), ("nodule", 1), ("consolidation", 1), ("pneumothorax", -1)])
def test_a_finding_changes_its_mask_in_its_direction_and_little_else(finding: str, sign: int, site: str) -> None:
    inside, outside, mask = change(scene(finding, site=site))
    assert mask.shape == SITES[site].shape
    assert sign * inside > 100  # of 4095
    assert outside < abs(inside) / 4


@pytest.mark.parametrize("finding", DRAWN)
def test_a_severer_finding_is_larger_or_plainer(finding: str) -> None:
    signals = [
        abs(inside) * mask.sum() for inside, _, mask in (change(scene(finding, severity)) for severity in (0.1, 0.5, 1.0))
    ]
    assert signals[0] < signals[1] < signals[2]


@pytest.mark.parametrize("finding", DRAWN)
def test_contrast_makes_a_finding_faint_and_leaves_its_place(finding: str) -> None:
    plain, _, mask = change(scene(finding))
    faint, _, faint_mask = change(scene(finding, contrast=0.25))
    assert abs(faint) < 0.5 * abs(plain)
    assert (mask & faint_mask).sum() > 0.8 * mask.sum()


@pytest.mark.parametrize("finding", DRAWN)
@pytest.mark.parametrize("side", [-1, 1])
def test_the_first_place_is_on_the_side_that_was_asked_for(finding: str, side: int) -> None:
    (mask,) = render_radiograph(scene(finding, 0.3, side=side)).masks.values()
    middle = mask.shape[1] / 2
    assert side * (np.nonzero(mask)[1].mean() - middle) > 10


def test_a_nodule_measures_16_to_40_mm() -> None:
    for severity, diameter in ((0.05, 17.2), (1.0, 40.0)):
        shown = scene("nodule", severity, seed=3)
        mask = render_radiograph(shown).masks["nodule"]
        rows = np.nonzero(mask.any(axis=1))[0]
        if severity < 0.2:
            assert np.ptp(rows) * shown.site.spacing == pytest.approx(diameter, abs=2.5)
        assert mask.sum() * shown.site.spacing**2 > 0.7 * np.pi * (diameter / 2) ** 2


def test_an_effusion_climbs_the_side_wall() -> None:
    mask = render_radiograph(scene("effusion", 0.7)).masks["effusion"]
    top = np.where(mask.any(axis=0), mask.argmax(axis=0), 10_000)
    columns = np.nonzero(mask.any(axis=0))[0]
    lateral, medial = columns[-8], columns[0] + 20
    assert top[lateral] < top[medial] - 20  # the meniscus is higher beside the wall


def test_a_pneumothorax_has_a_bright_line_beside_dark_air() -> None:
    shown = scene("pneumothorax", 0.9)
    mask = render_radiograph(shown).masks["pneumothorax"]
    difference = grey(shown) - grey(replace(shown, lesions={}))
    row = 210
    first = int(np.nonzero(mask[row])[0][0])
    lung, line, air = (
        difference[row, first - 14 : first - 5],
        difference[row, first - 4 : first + 3],
        difference[row, first + 8 : first + 20],
    )
    assert line.max() > lung.mean() + 80
    assert air.mean() < lung.mean() - 150


def test_the_hearts_mask_is_there_only_above_one_half() -> None:
    for ratio, present in ((0.49, False), (0.51, True)):
        shown = replace(scene(), anatomy=draw_anatomy(np.random.default_rng(11), "M", 50, ratio))
        assert ("cardiomegaly" in render_radiograph(shown).masks) == present


def test_every_finding_is_drawn_or_is_the_heart() -> None:
    assert set(FINDINGS) == {*DRAWN, "cardiomegaly"}
