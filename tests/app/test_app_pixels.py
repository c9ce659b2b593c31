"""What is sent to the browser's viewer: exact values, the library's polarity and windows, nothing about the patient."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from app.pixels import LONGEST_SIDE, Pixels, pack_map, read_pixels
from medclassify.dicom import NewInstance, read_image, write_image
from medclassify.display import overlay, png_bytes
from medclassify.errors import ReviewError

RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)


def unpacked(message: bytes) -> tuple[dict, bytes]:
    (length,) = struct.unpack("<I", message[:4])
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def codes(image: Pixels) -> np.ndarray:
    facts, values = unpacked(image.message)
    return np.frombuffer(values, np.uint16).reshape(facts["height"], facts["width"])


def grey(image: Pixels, number: int = 0) -> np.ndarray:
    """What app/viewer.js draws of it."""
    facts, window = image.facts, image.facts["windows"][number]
    value = facts["offset"] + facts["scale"] * codes(image).astype(float)
    share = np.clip((value - window["low"]) / (window["high"] - window["low"]), 0, 1)
    shade = 1 - share if facts["inverted"] else share
    return np.where(codes(image) == 0, 0, shade)


def test_twelve_bit_values_arrive_exactly(tmp_path: Path) -> None:
    write_image(tmp_path / "a.dcm", RAMP, NewInstance(window_center=2048, window_width=3900))
    image = read_pixels("image/a", str(tmp_path / "a.dcm"))
    np.testing.assert_array_equal(image.facts["offset"] + image.facts["scale"] * codes(image), RAMP)


def test_values_that_are_no_integers_arrive_within_half_a_code(tmp_path: Path) -> None:
    write_image(tmp_path / "a.dcm", RAMP, NewInstance(rescale_slope=0.3, rescale_intercept=-100))
    image = read_pixels("image/a", str(tmp_path / "a.dcm"))
    error = image.facts["offset"] + image.facts["scale"] * codes(image) - (0.3 * RAMP - 100)
    assert np.abs(error).max() <= 0.51 * 0.3 * 4095 / 65534 + 1e-3


def test_the_browser_makes_the_grey_that_the_network_saw(originals: Path) -> None:
    for name in ("sample-000.dcm", "sample-001.dcm", "sample-004.png"):
        image = read_pixels(f"image/{name}", str(originals / name))
        np.testing.assert_allclose(grey(image), read_image(originals / name, window="voi").pixels, atol=1e-3)


def test_a_ct_is_sent_in_hounsfield_units_with_the_windows_it_is_read_in(real_data: Path) -> None:
    path = sorted((real_data / "ct").glob("*.dcm"))[0]
    image = read_pixels("image/ct", str(path))
    assert image.facts["units"] == "HU"
    value = image.facts["offset"] + image.facts["scale"] * codes(image).astype(float)
    np.testing.assert_allclose(value[codes(image) > 0].min(), read_image(path, window="none").pixels.min(), atol=1)
    lung = next(window for window in image.facts["windows"] if window["name"] == "lung")
    assert (lung["low"], lung["high"]) == (-1350, 150)


def test_nothing_that_names_the_patient_is_sent(originals: Path) -> None:
    for path in sorted(originals.iterdir()):
        assert b"CANARY" not in read_pixels(f"image/{path.stem}", str(path)).message


def test_a_large_image_is_shrunk_until_full_resolution_is_asked_for(tmp_path: Path) -> None:
    wide = np.zeros((1000, 4000), dtype=np.uint8)
    wide[:, 2000:] = 200
    (tmp_path / "wide.png").write_bytes(png_bytes(wide))
    image = read_pixels("image/wide", str(tmp_path / "wide.png"))
    assert (image.rows, image.columns, codes(image).shape) == (1000, 4000, (384, LONGEST_SIDE))
    assert codes(read_pixels("image/wide", str(tmp_path / "wide.png"), full=True)).shape == (1000, 4000)


def test_a_map_is_coloured_as_the_library_colours_it(originals: Path) -> None:
    image = read_pixels("image/0", str(originals / "sample-000.dcm"))
    raw = np.linspace(-1, 3, 320 * 320, dtype=np.float32).reshape(320, 320)
    facts, values = unpacked(pack_map("map/0", raw, image, 2.0))
    red, green, blue, cover = np.array(facts["colours"]).reshape(256, 4)[np.frombuffer(values, np.uint8)].T
    for shade, opacity in ((0.0, 0.5), (0.4, 1.0), (1.0, 0.3)):
        mix = cover / 255 * opacity
        drawn = np.column_stack([255 * shade * (1 - mix) + part * mix for part in (red, green, blue)]).reshape(320, 320, 3)
        expected = overlay(np.full((320, 320), shade), raw, limit=2.0, opacity=opacity)
        assert np.abs(drawn - expected).max() <= 2  # of 255: one byte of strength, and rounding


def test_a_map_must_have_the_originals_geometry(originals: Path) -> None:
    image = read_pixels("image/0", str(originals / "sample-000.dcm"))
    with pytest.raises(ReviewError, match="made from another image"):
        pack_map("map/0", np.zeros((3, 2), np.float32), image, 1.0)
