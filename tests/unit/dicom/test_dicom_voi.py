import numpy as np
import pytest
from pydicom.dataset import Dataset

from medclassify.dicom import read_image
from medclassify.dicom.voi import percentile_range, stretch, window_linear, window_linear_exact, window_sigmoid


def grey(function, values: list[float], center: float, width: float) -> list[float]:
    return function(np.array([values], np.float32), center, width)[0].tolist()


def test_linear_by_hand() -> None:
    """C.11.2.1.2.1 with c=2048, w=4096 maps 0 to black and 4095 to white exactly; its own example."""
    assert grey(window_linear, [-5, 0, 4095, 9999], 2048, 4096) == [0, 0, 1, 1]
    # c=10, w=5: black at 10-.5-2=7.5, white at 11.5, middle at 9.5
    assert grey(window_linear, [7.5, 8.5, 9.5, 11.5], 10, 5) == [0, 0.25, 0.5, 1]


def test_linear_of_width_one_is_a_threshold_at_half_below_the_center() -> None:
    assert grey(window_linear, [98, 99.5, 100, 101], 100, 1) == [0, 0, 1, 1]


def test_linear_exact_by_hand() -> None:
    assert grey(window_linear_exact, [8, 9, 10, 12, 13], 10, 4) == [0, 0.25, 0.5, 1, 1]
    assert grey(window_linear_exact, [0.25, 0.5, 0.75], 0.5, 0.5) == [0, 0.5, 1]


def test_sigmoid_by_hand() -> None:
    np.testing.assert_allclose(
        grey(window_sigmoid, [10, 12, 8], 10, 4), [0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))], rtol=1e-6
    )
    extremes = grey(window_sigmoid, [-1e9, 1e9], 0, 1e-6)
    np.testing.assert_allclose(extremes, [0, 1], atol=1e-12)


def test_stretch_clips() -> None:
    np.testing.assert_allclose(stretch(np.array([[-1, 0, 5, 10, 11]], np.float32), 0, 10), [[0, 0, 0.5, 1, 1]])


def test_percentiles_leave_padding_out() -> None:
    values = np.arange(1000, dtype=np.float32).reshape(20, 50)
    mask = values < 500
    np.testing.assert_allclose(percentile_range(values, None), np.percentile(values, (0.5, 99.5)))
    np.testing.assert_allclose(percentile_range(values, mask), np.percentile(np.arange(500, 1000), (0.5, 99.5)))


def test_percentiles_of_a_large_image_come_from_a_sample_that_is_close_enough() -> None:
    values = np.random.default_rng(0).normal(2000, 300, (1024, 800)).astype(np.float32)
    exact, sampled = np.percentile(values, (0.5, 99.5)), percentile_range(values, None)
    assert sampled != pytest.approx(exact, abs=1e-6)  # a sample indeed
    np.testing.assert_allclose(sampled, exact, atol=20)  # 1 % of the range between them


def test_where_percentiles_agree_the_extremes_are_taken() -> None:
    values = np.zeros((100, 100), np.float32)
    values[0, 0] = 7
    assert percentile_range(values, None) == (0, 7)
    assert percentile_range(np.full((4, 4), 3, np.float32), None) == (3, 3)


PIXELS = np.array([[0, 5, 10], [15, 20, 25]], np.uint16)


def test_the_window_acts_on_rescaled_values(build) -> None:
    image = read_image(build(PIXELS, RescaleSlope="2", RescaleIntercept="-10", WindowCenter="20.5", WindowWidth="41"))
    np.testing.assert_allclose(image.pixels, [[0, 0, 0.25], [0.5, 0.75, 1]])
    assert image.applied == ("rescale slope=2 intercept=-10", "window 20.5/41 LINEAR")
    assert image.warnings == ()


def test_of_several_windows_the_first_is_taken_and_said(build) -> None:
    image = read_image(build(PIXELS, WindowCenter=[10, 1], WindowWidth=[20, 2], VOILUTFunction="LINEAR_EXACT"))
    np.testing.assert_allclose(image.pixels, [[0, 0.25, 0.5], [0.75, 1, 1]])
    assert image.applied == ("window 10/20 LINEAR_EXACT (first of 2)",)


def test_sigmoid_is_honoured(build) -> None:
    image = read_image(build(PIXELS, WindowCenter="10", WindowWidth="20", VOILUTFunction="SIGMOID"))
    np.testing.assert_allclose(image.pixels, 1 / (1 + np.exp(-4 * (PIXELS - 10.0) / 20)), rtol=1e-6)


def test_without_a_window_percentiles_are_used_and_said(build) -> None:
    image = read_image(build(PIXELS))
    low, high = np.percentile(PIXELS, (0.5, 99.5))
    np.testing.assert_allclose(image.pixels, np.clip((PIXELS - low) / (high - low), 0, 1), atol=1e-6)
    assert image.applied == ("percentiles 0.5 to 99.5: 0.125 to 24.875",)
    assert image.warnings == ("no window in the file: the 0.5th to 99.5th percentile are black and white",)


def test_percentile_and_full_pass_the_file_s_window_over(build) -> None:
    path = build(PIXELS, WindowCenter="3", WindowWidth="2", BitsStored=8, HighBit=7)
    assert read_image(path, window="percentile").applied == ("percentiles 0.5 to 99.5: 0.125 to 24.875",)
    full = read_image(path, window="full")
    np.testing.assert_allclose(full.pixels, PIXELS / 255, rtol=1e-6)
    assert full.applied == ("full range 0 to 255",)
    assert full.warnings == ()


def test_full_range_of_signed_values(build) -> None:
    pixels = np.array([[-2048, 0, 2047]], np.int16)
    image = read_image(build(pixels, BitsStored=12, HighBit=11), window="full")
    np.testing.assert_allclose(image.pixels, [[0, 2048 / 4095, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("center", "width", "function", "told"),
    [
        ("10", "0", "LINEAR", "window 10/0 LINEAR is not one that DICOM defines"),
        ("10", "-5", "SIGMOID", "window 10/-5 SIGMOID is not one"),
        ("10", "5", "LOG", "window 10/5 LOG is not one"),
        ("1e300", "5", "LINEAR", "window 1e+300/5 LINEAR is not one"),
    ],
)
def test_a_window_that_cannot_be_falls_back_and_says_so(build, center, width, function, told) -> None:
    image = read_image(build(PIXELS, WindowCenter=center, WindowWidth=width, VOILUTFunction=function))
    assert image.warnings[0].startswith(told)
    assert image.warnings[0].endswith("percentiles 0.5 to 99.5 are used")
    assert image.applied == ("percentiles 0.5 to 99.5: 0.125 to 24.875",)


def test_a_linear_window_narrower_than_one_is_taken_as_exact_and_said(build) -> None:
    path = build(
        np.array([[0, 1, 2]], np.uint16), RescaleSlope="0.25", RescaleIntercept="0", WindowCenter=".25", WindowWidth=".5"
    )
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, [[0, 0.5, 1]])
    assert image.warnings == ("window width 0.5 is below 1, which LINEAR does not allow: taken as LINEAR_EXACT",)


def voi_item(entries: list[int], first: int, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return item


def test_a_voi_lut_goes_before_a_window_and_before_the_inversion(build) -> None:
    path = build(
        np.array([[0, 1, 2, 9]], np.uint16), PhotometricInterpretation="MONOCHROME1", WindowCenter="1", WindowWidth="2",
        VOILUTSequence=[voi_item([0, 1023, 4092], 1, 12)],
    )  # fmt: skip
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, 1 - np.array([[0, 0, 1023 / 4095, 4092 / 4095]]), atol=1e-6)
    assert image.applied == ("VOI LUT of 3 entries", "inverted (MONOCHROME1)")


def test_a_voi_lut_whose_entries_exceed_its_bits_is_scaled_by_them_and_flagged(build) -> None:
    image = read_image(build(np.array([[0, 1]], np.uint16), VOILUTSequence=[voi_item([0, 4095], 0, 10)]))
    np.testing.assert_array_equal(image.pixels, [[0, 1]])
    assert image.warnings == ("the VOI LUT's entries need more than the 10 bits it claims: scaled by 4095",)


def test_a_window_beside_the_values_is_flagged(build) -> None:
    image = read_image(build(PIXELS, WindowCenter="5000", WindowWidth="100"))
    assert image.warnings == ("the window shows one grey only: the values lie in 0 to 25",)
    assert not image.pixels.any()


@pytest.mark.parametrize("window", ["voi", "percentile", "full", "none"])
def test_a_constant_image_is_flagged(build, window) -> None:
    image = read_image(build(np.full((4, 4), 77, np.uint16)), window=window)
    assert "constant image: every pixel is 77" in image.warnings
    assert np.isfinite(image.pixels).all()
