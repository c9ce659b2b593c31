"""Beer–Lambert, noise by dose, scatter, and the two sites' ways with a signal."""

from dataclasses import replace

import numpy as np
import pytest

from medclassify.phantom import SITES, Exposure
from medclassify.phantom.detector import STORED_MAX, attenuation, blur, develop, expose, project
from medclassify.phantom.grid import HEIGHT, WIDTH, X, Y

EXPOSURE = Exposure(kvp=120, mas=2.0, rotation=0.0, shift=(0.0, 0.0), magnification=1.0, seed=1)
A, B = SITES["A"], SITES["B"]


def flat(value: float, site=A) -> np.ndarray:
    return np.full(site.shape, value, np.float32)


@pytest.mark.parametrize("integral", [0.5, 2.0, 4.0])
def test_the_signal_is_beer_lambert_where_nothing_scatters(integral: float) -> None:
    signal = expose(flat(integral), replace(A, scatter=0.0), EXPOSURE)
    assert signal.mean() == pytest.approx(np.exp(-integral), rel=0.002)


def test_noise_falls_with_the_square_root_of_the_dose() -> None:
    site = replace(A, scatter=0.0, electronic=0.0)
    low = expose(flat(3.0), site, replace(EXPOSURE, mas=0.5)).std()
    high = expose(flat(3.0), site, replace(EXPOSURE, mas=8.0)).std()
    assert low / high == pytest.approx(4.0, rel=0.03)
    photons = site.photons * 0.5 * site.spacing**2
    assert low == pytest.approx(np.sqrt(np.exp(-3.0) / photons), rel=0.02)


def test_scatter_fills_the_dense_part_and_spoils_contrast() -> None:
    step = flat(1.5)
    step[:, step.shape[1] // 2 :] = 4.0
    clean, foggy = (expose(step, replace(A, scatter=share), EXPOSURE) for share in (0.0, 0.4))
    assert foggy[:, -30:].mean() > 1.2 * clean[:, -30:].mean()
    ratios = [signal[:, 150].mean() / signal[:, 250].mean() for signal in (clean, foggy)]
    assert ratios[1] < 0.8 * ratios[0]


def test_attenuation_falls_with_voltage_and_faster_in_bone() -> None:
    (water_low, bone_low), (water_high, bone_high) = attenuation(85), attenuation(125)
    assert 0.018 < water_high < water_low < 0.023  # 1/mm, NIST: 0.0206 at 60 keV
    assert bone_low / bone_high > water_low / water_high


def test_projection_shifts_magnifies_and_turns() -> None:
    disc = np.asarray((X**2 + (Y - A.middle) ** 2 < 40**2), np.float32)
    still = project(disc, A, EXPOSURE)
    assert still.shape == A.shape
    assert still.sum() * A.spacing**2 == pytest.approx(np.pi * 40**2, rel=0.01)
    large = project(disc, A, replace(EXPOSURE, magnification=1.1))
    assert large.sum() / still.sum() == pytest.approx(1.21, rel=0.01)
    moved = project(disc, A, replace(EXPOSURE, shift=(9.0, 0.0)))
    x = np.arange(A.shape[1])
    assert ((still - moved).sum(axis=0) @ x) * A.spacing / still.sum() == pytest.approx(9.0, rel=0.03)
    bar = np.asarray(np.abs(X) < 4, np.float32) * np.ones((HEIGHT, 1), np.float32)
    turned = project(bar, A, replace(EXPOSURE, rotation=0.1))
    top, bottom = turned[50].argmax(), turned[-50].argmax()
    assert abs(int(top) - int(bottom)) == pytest.approx(np.tan(0.1) * (A.shape[0] - 100), abs=3)


@pytest.mark.parametrize("site", [A, B])
def test_stored_values_have_twelve_bits_and_the_sites_polarity(site) -> None:
    ramp = np.linspace(1.0, 4.0, site.shape[1], dtype=np.float32) * np.ones((site.shape[0], 1), np.float32)
    stored = develop(np.exp(-ramp), site)
    assert stored.dtype == np.uint16
    assert stored.max() <= STORED_MAX
    rising = stored[:, -60].mean() > stored[:, 60].mean()
    assert rising == (site.photometric == "MONOCHROME2")


def test_a_constant_signal_is_developed_without_a_warning() -> None:
    with np.errstate(all="raise"):
        assert np.ptp(develop(np.full(A.shape, 0.1, np.float32), A)) == 0


def test_the_coarse_blur_keeps_the_mean_and_spreads_a_point() -> None:
    image = np.zeros((416, 416), np.float32)
    image[200, 200] = 1000
    spread = blur(image, 40)
    assert spread.sum() == pytest.approx(1000, rel=0.02)
    rows = spread.sum(axis=1)
    sigma = np.sqrt(((np.arange(416) - 200) ** 2 * rows).sum() / rows.sum())
    assert sigma == pytest.approx(40, rel=0.1)


def test_the_board_has_its_size() -> None:
    assert X.shape == (1, WIDTH)
    assert Y.shape == (HEIGHT, 1)
