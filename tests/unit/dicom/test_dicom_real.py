"""Real radiographs and CT slices in every encoding of the development data."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from medclassify.dicom import find_images, read_header, read_image
from medclassify.records import InstanceHeader, Units

A_KIND = 3


@pytest.fixture(scope="module")
def spread(real_data: Path) -> list[InstanceHeader]:
    """A few files of each encoding, depth and polarity in each collection."""
    kinds: dict[tuple, list[InstanceHeader]] = defaultdict(list)
    for folder in ("nih", "cxr", "ct"):
        for path in find_images([real_data / folder]):
            header = read_header(path)
            kind = kinds[folder, header.transfer_syntax, header.photometric, header.bits_stored]
            if len(kind) < A_KIND:
                kind.append(header)
    assert len(kinds) >= 11
    return [header for kind in kinds.values() for header in kind]


def test_every_kind_is_read_into_its_full_range(spread) -> None:
    for header in spread:
        image = read_image(header.path)
        assert image.header == header
        assert image.units is Units.DISPLAY
        low, high = image.pixels.min(), image.pixels.max()
        assert 0 <= low < high <= 1, header.path
        has_window = any(part.startswith("window") for part in image.applied)
        assert high - low > 0.7 if has_window else (low, high) == (0, 1), header.path
        assert image.pixels.std() > 0.05, header.path
        assert sum("inverted" in part for part in image.applied) == (header.photometric == "MONOCHROME1")


def test_radiographs_are_dense_bright_whatever_the_file_says(spread) -> None:
    """The mediastinum is brighter than the lungs beside it in a chest film that is the right way round."""
    right: dict[str, list[bool]] = defaultdict(list)
    for header in spread:
        if header.modality in ("CR", "DX"):
            pixels = read_image(header.path, window="percentile").pixels
            height, width = pixels.shape
            band = pixels[int(0.3 * height) : int(0.55 * height)].mean(axis=0)
            spine = band[int(0.45 * width) : int(0.55 * width)].mean()
            lungs = min(band[int(0.2 * width) : int(0.35 * width)].min(), band[int(0.65 * width) : int(0.8 * width)].min())
            right[header.photometric].append(bool(spine > lungs))
    assert set(right) == {"MONOCHROME1", "MONOCHROME2"}
    for photometric, votes in right.items():
        assert np.mean(votes) > 0.9, (photometric, votes)


def test_ct_is_in_hounsfield_units(real_data: Path) -> None:
    """Air is −1000 HU by definition; in front of a patient there is little else (in one of these slices, a blanket)."""
    slices = find_images([real_data / "ct"])
    assert len(slices) == 20
    airs = []
    for path in slices:
        image = read_image(path, window="none")
        assert image.units is Units.HU
        assert image.pixels.min() >= -2048  # padding is gone
        airs.append(_air(image.pixels))
        assert -1020 < airs[-1] < -940, path
    assert abs(np.median(airs) + 1000) < 10


def _air(pixels: np.ndarray) -> float:
    """The median between the upper rim and the skin, along the middle columns."""
    above = []
    for column in pixels[:, 200:312].T:
        skin = int((column > -500).argmax())
        above.append(column[8 : max(skin - 8, 8)])
    return float(np.median(np.concatenate(above)))
