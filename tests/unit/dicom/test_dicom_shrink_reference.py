"""The fast ways from stored values to a small picture against one slow and plain way, over a grid and at random."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medclassify.dicom import read_shrunk
from medclassify.dicom.area import halvings, shrink_by_area
from medclassify.dicom.shrink import shrunk_size
from medclassify.dicom.voi import percentile_range

LEVEL = 1 / 255


def averaged(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """float64: blocks of 2ⁿ by 2ⁿ, the last filled up with copies of the edge, then by the part that is covered."""
    rows, columns = pixels.shape
    step = 1 << halvings(rows / height, columns / width)
    padded = np.pad(pixels.astype(np.float64), ((0, -rows % step), (0, -columns % step)), mode="edge")
    blocks = padded.reshape(len(padded) // step, step, -1, step).mean(axis=(1, 3))
    return (
        weights(Fraction(rows, step), len(blocks), height) @ blocks @ weights(Fraction(columns, step), blocks.shape[1], width).T
    )


def weights(extent: Fraction, cells: int, parts: int) -> np.ndarray:
    """In whole fractions: the share of each part that each cell of length one covers."""
    table = np.zeros((parts, cells))
    for part in range(parts):
        left, right = extent * part / parts, extent * (part + 1) / parts
        for cell in range(int(left), min(cells, -int(-right // 1))):
            table[part, cell] = (min(right, Fraction(cell + 1), extent) - max(left, Fraction(cell))) / (right - left)
    return table


def by_the_book(pixels: np.ndarray, side: int, facts: dict[str, Any], window: str) -> np.ndarray:
    """Padding → modality LUT → VOI's clip → polarity, in float64, with the mean taken of what is between black and white."""
    slope, intercept = float(facts.get("RescaleSlope", 1)), float(facts.get("RescaleIntercept", 0))
    inverted = facts.get("PhotometricInterpretation") == "MONOCHROME1"
    padding = facts.get("PixelPaddingValue")
    ends = sorted((padding, facts.get("PixelPaddingRangeLimit", padding))) if padding is not None else None
    mask = (pixels >= ends[0]) & (pixels <= ends[1]) if ends else np.zeros(pixels.shape, bool)
    mask &= not mask.all()
    values = pixels * slope + intercept
    if window == "voi":
        low = facts["WindowCenter"] - 0.5 - (facts["WindowWidth"] - 1) / 2
        high = facts["WindowCenter"] - 0.5 + (facts["WindowWidth"] - 1) / 2
    elif window == "percentile":
        low, high = sorted(end * slope + intercept for end in percentile_range(pixels, mask if mask.any() else None))
    else:
        stored = np.iinfo(pixels.dtype)
        low, high = sorted((stored.min * slope + intercept, stored.max * slope + intercept))
    grey = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros(values.shape)
    grey[mask] = 1 if inverted else 0
    height, width = shrunk_size(*pixels.shape, side)
    small = averaged(grey, height, width)
    return 1 - small if inverted else small


@st.composite
def files(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any], str, int]:
    """Pixels of any odd size, depth and sign; windows inside, across and beyond them; padding at, within and past the ends."""
    dtype = np.dtype(draw(st.sampled_from([np.uint8, np.int8, np.uint16, np.int16])))
    lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    shape = draw(st.integers(33, 150)), draw(st.integers(33, 150))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(lowest, highest, shape, dtype, endpoint=True)
    if draw(st.booleans()):  # not all of the range, so that nothing is beyond wide windows
        pixels //= 2
    slope = draw(st.sampled_from([1, 0.5, -2]))
    intercept = draw(st.sampled_from([0, -1000.5]))
    facts: dict[str, Any] = {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept)}
    centre = draw(st.integers(lowest, highest)) * slope + intercept
    facts["WindowCenter"] = float(round(centre) + draw(st.sampled_from([0, 0.5])))
    facts["WindowWidth"] = float(draw(st.integers(2, 2 * (highest - lowest))))
    facts["PhotometricInterpretation"] = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    if draw(st.booleans()):
        facts["PixelPaddingValue"] = int(draw(st.sampled_from([lowest, highest, pixels[3, 4], pixels.min(), pixels.max()])))
        pixels[: shape[0] // 3] = facts["PixelPaddingValue"]
        if draw(st.booleans()):
            facts["PixelPaddingRangeLimit"] = int(draw(st.sampled_from([lowest, highest, pixels[-1, -1]])))
    return pixels, facts, draw(st.sampled_from(["voi", "percentile", "full"])), draw(st.integers(6, 32))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=files())
def test_it_is_the_plain_way_but_for_rounding(build, made) -> None:
    """16 bits: within a sixteenth of a level. 8 bits: within half a stored value where the window is wide, else equal."""
    pixels, facts, window, side = made
    shrunk = read_shrunk(build(pixels, **facts), window=window, longest_side=side).image  # type: ignore[arg-type]
    expected = by_the_book(pixels, side, facts, window)
    width = abs(float(facts["RescaleSlope"])) * (np.ptp(pixels.astype(int)) + 1) if window != "voi" else facts["WindowWidth"]
    float32 = 4e-7 * np.abs(pixels * float(facts["RescaleSlope"]) + float(facts["RescaleIntercept"])).max() / width
    tolerance = float32 + (LEVEL / 16 if pixels.itemsize == 2 else 1e-4 + 0.02 / width)
    between = {"full": 255.0, "percentile": float(np.ptp(percentile_range(pixels, None)))}
    span = between.get(window, (facts["WindowWidth"] - 1) / abs(float(facts["RescaleSlope"])))
    if pixels.dtype == np.uint8 and span >= 192:
        tolerance += 0.5 / span
    np.testing.assert_allclose(shrunk.pixels, expected, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("rounding", [0, 1 / 128, 1 / 2])
@pytest.mark.parametrize("shape", [(40, 40), (64, 96), (65, 97), (67, 131), (600, 43), (1111, 83), (128, 127)])
@pytest.mark.parametrize("to", [(8, 8), (13, 7), (31, 33), (40, 40)])
def test_means_are_those_of_the_plain_way(dtype, rounding, shape, to) -> None:
    pixels = np.random.default_rng(1).integers(-30_000 if np.dtype(dtype).kind != "u" else 0, 60_000, shape).astype(dtype)
    away = np.abs(shrink_by_area(pixels, *to, rounding=rounding) - averaged(pixels, *to)).max()
    several = {np.uint8: 0.0, np.uint16: 1.0, np.int16: 1.0}
    assert away <= 0.02 + (rounding + several[dtype] if dtype in several and (dtype == np.uint8 or rounding == 1 / 2) else 0)


@pytest.mark.parametrize("columns", [64, 67])
def test_some_rows_of_a_larger_picture(columns) -> None:
    """Views into a larger array are read where they are, odd rows and all."""
    large = np.random.default_rng(2).integers(0, 256, (130, 201), dtype=np.uint8)
    view = large[1:130, 3 : 3 + columns]
    np.testing.assert_array_equal(*(shrink_by_area(rows, 9, 8, rounding=1 / 2) for rows in (view, view.copy())))
