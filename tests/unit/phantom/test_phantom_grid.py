"""Shapes hold the matter that geometry says they hold."""

import numpy as np
import pytest

from medclassify.phantom.grid import (
    HEIGHT,
    SPACING,
    WIDTH,
    add_ellipsoid,
    add_threads,
    add_tube,
    cloud,
    enlarge,
    profile,
    rise,
    window,
)


def board() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_an_ellipsoid_holds_its_volume(angle: float) -> None:
    drawn = board()
    add_ellipsoid(drawn, (20, 100), (40, 25), 30, angle=angle)
    assert drawn.sum() * SPACING**2 == pytest.approx(4 / 3 * np.pi * 40 * 25 * 15, rel=0.005)
    assert drawn.max() == pytest.approx(30, rel=0.01)


def test_a_tube_is_as_thick_as_it_is_wide_and_lies_where_it_was_put() -> None:
    drawn = board()
    add_tube(drawn, np.array([[-50.0, 100.0], [0.0, 100.0], [50.0, 100.0]]), 10.0, 20.0)
    rows, columns = np.nonzero(drawn)
    assert drawn.max() == pytest.approx(20, rel=0.01)
    assert np.ptp(rows) * SPACING == pytest.approx(20, abs=2)
    assert np.ptp(columns) * SPACING == pytest.approx(120, abs=2)


def test_a_shell_leaves_the_core_thinner_than_the_wall() -> None:
    drawn = board()
    add_tube(drawn, np.array([[-50.0, 100.0], [50.0, 100.0]]), 10.0, 20.0, shell=0.2)
    column = drawn[:, WIDTH // 2]
    inside = column[column > 0]
    assert inside[len(inside) // 2] < inside.max() * 0.93


def test_threads_lay_down_their_volume() -> None:
    points = np.stack([np.linspace(-40, 40, 200), np.full(200, 100.0)], axis=1)
    drawn = board()
    add_threads(drawn, points, np.full(200, 2.0), np.full(200, 80 / 200))
    assert drawn.sum() * SPACING**2 == pytest.approx(np.pi * 4 * 80, rel=0.01)


def test_threads_beyond_the_edge_are_left_out() -> None:
    drawn = board()
    add_threads(drawn, np.array([[1e4, 0.0], [0.0, -1e4]]), np.ones(2), np.ones(2))
    assert not drawn.any()


@pytest.mark.parametrize("size", [2.0, 8.0, 30.0])
def test_a_cloud_is_standard_and_its_grains_have_their_size(size: float) -> None:
    noise = cloud(np.random.default_rng(0), size)
    assert noise.shape == (HEIGHT, WIDTH)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.3)
    assert noise.std() == pytest.approx(1, abs=0.3)
    # A Gaussian blur of width s gives a correlation of exp(-d²/4s²): at twice the size nothing is left.
    far = round(2.5 * size / SPACING)
    assert np.corrcoef(noise[:-far].ravel(), noise[far:].ravel())[0, 1] < 0.25


def test_enlarging_keeps_a_ramp() -> None:
    coarse = np.arange(20, dtype=np.float32)[:, None] + np.zeros((1, 20), np.float32)
    fine = enlarge(coarse, (160, 150), 8)
    assert fine.shape == (160, 150)
    np.testing.assert_allclose(fine[8:-8, 70], (np.arange(8, 152) + 0.5) / 8 - 0.5, atol=1e-4)


def test_a_window_is_clipped_and_never_empty() -> None:
    part = window(-1e4, -1e3, 1e3, 1e4)
    assert part.x.size == part.y.size == 1


def test_profile_and_rise() -> None:
    np.testing.assert_allclose(profile(np.array([0.0, 5.0, 20.0], np.float32), [(0, 1), (10, 3)]), [1, 2, 3])
    np.testing.assert_allclose(rise(np.array([-1.0, 0.0, 0.5, 1.0, 9.0], np.float32)), [0, 0, 0.5, 1, 1])
