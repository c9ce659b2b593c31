import numpy as np
import pytest

from medclassify.dicom import read_shrunk
from medclassify.dicom.fingerprint import Fingerprint, fingerprint

PIXELS = np.random.default_rng(0).integers(0, 4096, (200, 30), dtype=np.uint16)


def test_it_is_the_same_for_the_same_values_only() -> None:
    name = fingerprint(PIXELS)
    assert len(name) == 64 and name == fingerprint(np.asfortranarray(PIXELS.copy())) == fingerprint(PIXELS.astype(np.int16))
    for row in (0, 77, 199):
        changed = PIXELS.copy()
        changed[row, 3] ^= 1
        assert fingerprint(changed) != name
    assert fingerprint(PIXELS.reshape(100, 60)) != name
    assert fingerprint(PIXELS[:, ::-1]) != name and fingerprint(PIXELS[::-1]) != name
    assert fingerprint(np.zeros((8, 8), np.uint8)) != fingerprint(np.zeros((4, 8), np.uint16))


def test_a_reduced_resolution_is_told_from_a_small_picture() -> None:
    assert fingerprint(PIXELS, 4) == f"r4-{fingerprint(PIXELS)}"


@pytest.mark.parametrize("shape", [(7, 9), (200, 30), (1111, 83), (700, 3000), (40, 300_000)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_is_the_same_however_many_rows_are_taken_at_once(shape, dtype) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)
    for rows in (1 << power for power in range(5, 11)):
        if rows * pixels[0].nbytes < min(1 << 18, pixels.nbytes // 8):
            continue  # less than a band
        made = Fingerprint(pixels)
        for start in range(0, len(pixels), rows):
            made.add(pixels[start : start + rows])
        assert made.name() == fingerprint(pixels), rows


def test_a_shrunk_picture_has_the_fingerprint_of_the_whole(build) -> None:
    """It is made band by band on the way; views, odd sizes and clipping change nothing."""
    generator = np.random.default_rng(2)
    for shape in ((1111, 83), (700, 1500), (1025, 2100)):
        pixels = generator.integers(0, 4096, shape, dtype=np.uint16)
        path = build(pixels, BitsStored=12, HighBit=11, WindowCenter="2000", WindowWidth="100")
        assert read_shrunk(path, longest_side=64).fingerprint == fingerprint(pixels)
