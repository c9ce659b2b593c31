import cv2
import numpy as np
import pytest

from medclassify.dicom.area import halvings, shrink_by_area


def image(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(0).normal(0, 20, y.shape)
    return (2000 + 1500 * np.sin(y / 50) * np.cos(x / 70) + noise).clip(0, 4095).astype(np.uint16)


@pytest.mark.parametrize("shape", [(512, 512), (500, 400), (1024, 1000), (517, 401), (1023, 999)])
def test_equals_area_interpolation_of_the_whole_image(shape) -> None:
    pixels = image(*shape)
    scale = 100 / max(shape)
    height, width = round(shape[0] * scale), round(shape[1] * scale)
    expected = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    difference = np.abs(shrink_by_area(pixels, height, width) - expected)
    assert difference.max() < 16 and difference.mean() < 3  # of 4096: blocks are averaged before parts of them are


@pytest.mark.parametrize(
    ("dtype", "rounding", "tolerance"),
    [
        (np.uint8, 1 / 128, 1 / 64),
        (np.uint8, 1 / 2, 1 / 2 + 1 / 64),
        (np.uint16, 1 / 2, 1),
        (np.int16, 1 / 2, 1),
        (np.uint16, 1 / 128, 0),
        (np.float32, 1 / 2, 1e-3),
        (np.int8, 1 / 2, 0),
    ],
)
@pytest.mark.parametrize("shape", [(512, 512), (517, 401)])
def test_rounded_means_are_as_near_as_they_say(dtype, rounding, tolerance, shape) -> None:
    pixels = (image(*shape) >> (4 if np.dtype(dtype).itemsize == 1 else 0)).astype(dtype)
    exact, rounded = shrink_by_area(pixels, 60, 50), shrink_by_area(pixels, 60, 50, rounding=rounding)
    assert np.abs(rounded - exact).max() <= tolerance
    assert not np.array_equal(rounded, exact) or tolerance < 1 / 2


def test_rounding_bytes_lifts_noise_by_an_eighth_and_leaves_the_rest() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (1024, 1024), dtype=np.uint8)
    assert shrink_by_area(noise, 64, 64, rounding=1 / 2).mean() - noise.mean() == pytest.approx(1 / 8, abs=0.01)
    steps = np.kron(noise[:64, :64], np.ones((16, 16), np.uint8))
    np.testing.assert_array_equal(shrink_by_area(steps, 64, 64, rounding=1 / 2), noise[:64, :64])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("shape", [(64, 64), (63, 61)])
def test_a_constant_stays_what_it_is(dtype, shape) -> None:
    small = shrink_by_area(np.full(shape, 100, dtype), 8, 8)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, 100, rtol=1e-6)


def test_the_mean_is_kept_and_stripes_do_not_alias() -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (512, 256), dtype=np.uint16)
    assert shrink_by_area(pixels, 64, 32).mean() == pytest.approx(pixels.mean(), rel=1e-6)
    stripes = np.tile(np.array([0, 1000], np.uint16), (256, 128))
    np.testing.assert_allclose(shrink_by_area(stripes, 64, 64), 500)


def test_a_pixel_counts_by_the_part_of_it_that_is_covered() -> None:
    """Three columns in two: the middle one lies half in each."""
    np.testing.assert_allclose(shrink_by_area(np.array([[0, 3, 0]] * 3, np.float32), 2, 2), 1)
    np.testing.assert_allclose(shrink_by_area(np.array([[0, 3, 0]] * 3, np.float32), 1, 1), 1, atol=1e-6)


def test_a_slope_keeps_its_place_in_sizes_that_cannot_be_halved() -> None:
    """The centres of the result lie where they should, from the first to the last."""
    rows = 1001
    slope = np.repeat(np.arange(rows, dtype=np.float32)[:, None], 8, axis=1)
    centres = (np.arange(100) + 0.5) * rows / 100 - 0.5
    np.testing.assert_allclose(shrink_by_area(slope, 100, 2)[:, 0], centres, atol=0.15)


def test_the_pixels_of_a_wavelet_are_centred_on_every_fourth_pixel() -> None:
    """The second reduced resolution of a slope holds its values at 0, 4, 8, …; the result must not be shifted by that."""
    slope = np.repeat(np.arange(1000, dtype=np.float32)[:, None], 1000, axis=1)
    reduced = slope[::4, ::4].copy()
    small = shrink_by_area(reduced, 100, 100, decoded_at=4, before=1.5, original=(1000, 1000))
    centres = np.arange(100) * 10 + 4.5
    np.testing.assert_allclose(small[1:-1, 50], centres[1:-1], atol=0.3)
    assert (shrink_by_area(reduced, 100, 100)[1:-1, 50] < centres[1:-1] - 1).all()  # where that is not known, it is


def test_how_often_a_side_may_be_halved() -> None:
    assert [halvings(ratio, 99) for ratio in (1, 3.99, 4, 7.9, 8, 11.2, 16)] == [0, 0, 1, 1, 2, 2, 3]


def test_rows_are_made_ready_before_they_are_averaged() -> None:
    seen = []

    def ready(values: np.ndarray, rows: slice) -> np.ndarray:
        seen.append(rows)
        return np.minimum(values, 10)

    pixels = np.full((1100, 2000), 1000, np.uint16)
    np.testing.assert_allclose(shrink_by_area(pixels, 11, 20, ready=ready), 10, rtol=1e-6)
    assert [(rows.start, rows.stop) for rows in seen] == [(0, 512), (512, 1024), (1024, 1100)]  # two mebibytes at once
    assert (pixels == 1000).all()
