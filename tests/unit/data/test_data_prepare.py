import numpy as np
import pytest

from medclassify.data import prepare_image
from medclassify.data.prepare import fit, letterbox
from medclassify.dicom import NewInstance, find_images, read_image, write_image
from medclassify.display import ct_channels
from medclassify.errors import ConfigError, UnsupportedImageError
from medclassify.records import Preprocessing

SMALL = Preprocessing(image_size=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5), interpolation="bicubic", window="voi")
CT = Preprocessing(64, SMALL.mean, SMALL.std, "bicubic", "voi", ct_windows=("lung", "bone"))


def test_the_aspect_and_the_whole_image_are_kept() -> None:
    geometry = fit(100, 50, 64)
    assert (geometry.height, geometry.width, geometry.top, geometry.left) == (64, 32, 0, 16)
    square = letterbox(np.ones((64, 32), np.float32), geometry, "bicubic")
    assert square[:, 16:48].min() == 1 and square[:, :16].max() == 0 and square[:, 48:].max() == 0


def test_a_small_image_is_enlarged_within_its_range() -> None:
    enlarged = letterbox(np.eye(8, dtype=np.float32), fit(8, 8, 64), "bicubic")
    assert enlarged.shape == (64, 64) and enlarged.min() >= 0 and enlarged.max() <= 1  # cubic overshoot does not leave it


def test_a_large_image_fills_its_place(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (500, 300), dtype=np.uint16)
    write_image(tmp_path / "a.dcm", pixels, NewInstance(window_center=2048, window_width=4096))
    prepared = prepare_image(tmp_path / "a.dcm", SMALL)
    assert prepared.pixels.shape == (1, 64, 64) and prepared.pixels.dtype == np.uint8
    assert (prepared.geometry.rows, prepared.geometry.columns, prepared.geometry.width) == (500, 300, 38)
    assert prepared.pixels[0, :, 13:51].min() > 90 and prepared.pixels[0, :, :13].max() == 0


def test_the_same_stored_values_have_one_hash_whatever_compresses_them(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (90, 70), dtype=np.uint16)
    hashes = set()
    for number, syntax in enumerate(("explicit", "implicit", "rle", "jpeg-ls", "jpeg-lossless")):
        facts = NewInstance(transfer_syntax=syntax, patient_id=str(number), window_center=500 + number, window_width=800)
        write_image(tmp_path / "a.dcm", pixels, facts)
        hashes.add(prepare_image(tmp_path / "a.dcm", SMALL).pixel_sha256)
    assert len(hashes) == 1


def test_ct_windows_become_channels(real_data) -> None:
    path = find_images([real_data / "ct"])[0]
    prepared = prepare_image(path, CT)
    assert prepared.pixels.shape == (2, 64, 64)
    assert prepared.applied[-2:] == ("channel 0: CT window lung", "channel 1: CT window bone")
    hu = read_image(path, window="none").pixels
    blocks = hu.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    np.testing.assert_allclose(prepared.pixels, ct_channels(blocks, CT.ct_windows) * 255, atol=1)
    assert prepared.pixels[0].std() > 20 and not np.array_equal(prepared.pixels[0], prepared.pixels[1])


def test_ct_windows_need_hounsfield_units(tmp_path) -> None:
    write_image(tmp_path / "a.dcm", np.ones((20, 20), np.uint16), NewInstance())
    with pytest.raises(
        UnsupportedImageError, match=r"a\.dcm: CT windows need Hounsfield units, these values are stored of a DX"
    ):
        prepare_image(tmp_path / "a.dcm", CT)


def test_an_unknown_ct_window_is_refused(real_data) -> None:
    unknown = Preprocessing(64, SMALL.mean, SMALL.std, "bicubic", "voi", ct_windows=("lungs",))
    with pytest.raises(ConfigError, match="lungs"):
        prepare_image(find_images([real_data / "ct"])[0], unknown)
