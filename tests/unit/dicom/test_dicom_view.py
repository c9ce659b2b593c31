"""What a viewer is given makes the same grey as ``read_image`` makes."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medclassify.dicom import read_image, read_view
from medclassify.records import Units, ViewImage

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)


def grey(view: ViewImage, number: int = 0) -> np.ndarray:
    """As a viewer does it: window, then polarity, then padding."""
    window = view.windows[number]
    share = np.clip((view.pixels - window.low) / (window.high - window.low), 0, 1)
    shade = share if window.curve is None else np.interp(share, np.linspace(0, 1, len(window.curve)), window.curve)
    shade = 1 - shade if view.inverted else shade
    return shade if view.padding is None else np.where(view.padding, 0, shade)


def table() -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "US", (np.linspace(0, 1, 4096) ** 2 * 4095).astype(int).tolist())
    return item


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": 1500, "WindowWidth": 900},
        {"WindowCenter": 1500, "WindowWidth": 900, "PhotometricInterpretation": "MONOCHROME1"},
        {"WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 700, "WindowWidth": 1800, "RescaleSlope": 0.5, "RescaleIntercept": -3},
        {"WindowCenter": 1500, "WindowWidth": 900, "PixelPaddingValue": 12, "PhotometricInterpretation": "MONOCHROME1"},
        {"VOILUTSequence": [table()]},
        {"WindowCenter": 1500, "WindowWidth": 1},
        {},
    ],
    ids=["linear", "inverted", "exact", "sigmoid", "rescaled", "padded", "table", "threshold", "percentiles"],
)
def test_the_first_window_is_what_the_network_sees(build, attributes: dict) -> None:
    path = build(RAMP, **attributes)
    np.testing.assert_allclose(grey(read_view(path)), read_image(path, window="voi").pixels, atol=2e-3)


def test_a_window_width_of_one_is_a_step_up_to_one_sample_of_its_curve(build) -> None:
    path = build(RAMP, WindowCenter=1500, WindowWidth=1)
    assert np.count_nonzero(grey(read_view(path)) != read_image(path).pixels) <= 1


def test_further_windows_of_the_file_are_offered(build) -> None:
    view = read_view(build(RAMP, WindowCenter=[1500, 2000, 5], WindowWidth=[900, 401, 0]))
    assert [window.name for window in view.windows] == [
        "the file's own", "the file's own (2)", "0.5–99.5 percentile", "all values",
    ]  # fmt: skip
    assert (view.windows[1].low, view.windows[1].high) == (1799.5, 2199.5)
    assert (view.windows[-1].low, view.windows[-1].high) == (0, 4095)


def test_values_stay_what_the_modality_lut_makes_them(build) -> None:
    path = build(RAMP, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU", WindowCenter=0, WindowWidth=9)
    view = read_view(path)
    assert view.units is Units.HU
    np.testing.assert_array_equal(view.pixels, read_image(path, window="none").pixels)
    assert view.pixels.min() == -1024


def test_what_was_done_and_what_to_know_is_said(build) -> None:
    view = read_view(build(RAMP, PhotometricInterpretation="MONOCHROME1", BurnedInAnnotation="YES"))
    assert any("inverted (MONOCHROME1)" in step for step in view.applied)
    assert any("Burned In" in warning for warning in view.warnings)


def test_a_picture_is_read_too(tmp_path: Path) -> None:
    from medclassify.display import png_bytes

    (tmp_path / "a.png").write_bytes(png_bytes((RAMP >> 4).astype(np.uint8)))
    view = read_view(tmp_path / "a.png")
    np.testing.assert_allclose(grey(view), read_image(tmp_path / "a.png").pixels, atol=1e-6)


def test_an_mr_offers_no_window_of_its_own(build) -> None:
    view = read_view(build(RAMP, Modality="MR", WindowCenter=1500, WindowWidth=900))
    assert view.windows[0].name == "0.5–99.5 percentile"
