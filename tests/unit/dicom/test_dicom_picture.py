from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from medclassify.dicom import read_header, read_image
from medclassify.errors import DecodeError, UnsupportedImageError
from medclassify.records import Units

GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)


def save(path: Path, pixels: np.ndarray) -> Path:
    encoded, data = cv2.imencode(path.suffix, pixels)
    assert encoded
    path.write_bytes(data.tobytes())
    return path


def test_an_eight_bit_png(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    image = read_image(path, window="none")
    np.testing.assert_array_equal(image.pixels, GREY)
    assert (image.units, image.applied, image.warnings) == (Units.STORED, (), ())
    header = read_header(path)
    assert (header.rows, header.columns, header.bits_stored, header.photometric) == (10, 12, 8, "MONOCHROME2")
    assert (header.sop_uid, header.patient_key, header.modality, header.transfer_syntax) == ("",) * 4


def test_a_sixteen_bit_png(tmp_path: Path) -> None:
    pixels = GREY.astype(np.uint16) * 270
    path = save(tmp_path / "a.png", pixels)
    assert read_header(path).bits_stored == 16
    np.testing.assert_array_equal(read_image(path, window="none").pixels, pixels)
    np.testing.assert_allclose(read_image(path, window="full").pixels, pixels / 65535, rtol=1e-6)


def test_a_picture_has_no_window_and_says_so(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY))
    low, high = np.percentile(GREY, (0.5, 99.5))
    np.testing.assert_allclose(image.pixels, np.clip((GREY - low) / (high - low), 0, 1), atol=1e-6)
    assert image.units is Units.DISPLAY
    assert image.warnings == ("no window in the file: the 0.5th to 99.5th percentile are black and white",)
    np.testing.assert_allclose(read_image(image.header.path, window="full").pixels, GREY / 255, rtol=1e-6)


def test_a_jpeg(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", np.kron(GREY, np.ones((4, 4), np.uint8)))
    decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(read_image(path, window="none").pixels, decoded, atol=1)
    assert (read_header(path).rows, read_header(path).columns) == (40, 48)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_colour_whose_channels_are_equal_is_grey(tmp_path: Path, suffix) -> None:
    large = np.kron(GREY, np.ones((4, 4), np.uint8))
    path = save(tmp_path / f"a{suffix}", np.dstack([large] * 3))
    assert read_header(path).photometric == "RGB"
    assert np.abs(read_image(path, window="none").pixels - large).max() <= (0 if suffix == ".png" else 6)


def test_an_opaque_channel_is_dropped(tmp_path: Path) -> None:
    four = np.dstack([GREY, GREY, GREY, np.full_like(GREY, 255)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", four), window="none").pixels, GREY)
    (tmp_path / "two.png").write_bytes(imagecodecs.png_encode(np.dstack([GREY, np.full_like(GREY, 255)])))
    np.testing.assert_array_equal(read_image(tmp_path / "two.png", window="none").pixels, GREY)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.dstack([GREY, GREY, GREY, GREY]), "the picture is partly transparent"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(tmp_path: Path, pixels, told) -> None:
    with pytest.raises(UnsupportedImageError, match=rf"a\.png: {told}"):
        read_image(save(tmp_path / "a.png", pixels))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.8])
def test_a_cut_picture_is_refused(tmp_path: Path, suffix, keep) -> None:
    path = save(tmp_path / f"a{suffix}", np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DecodeError, match=rf"a\{suffix}: the (PNG|JPEG) picture is .*\. Copy or export it again\."):
        read_image(path)


def test_a_damaged_png_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="the PNG picture is damaged"):
        read_image(path)


def test_a_picture_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    path.write_bytes(data)
    with pytest.raises(UnsupportedImageError, match="claims 60000 × 60000 pixels, 3433 MiB"):
        read_image(path)
