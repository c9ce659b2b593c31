import numpy as np

from medclassify.dicom.fingerprint import fingerprint

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
