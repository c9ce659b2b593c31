"""Whatever a file holds, reading it ends in an image or in one line that names it."""

import collections
import time
import warnings
from pathlib import Path

import numpy as np

from medclassify.dicom import read_header, read_image
from medclassify.errors import DicomError

MUTATIONS = 300
LONGEST_S = 5.0


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Cuts, inserts, deletes or overwrites; mostly within the header, where lengths and tags are."""
    damaged = bytearray(data)
    kind, header = random.random(), min(len(damaged), 2500)
    if kind < 0.15:
        return bytes(damaged[: int(random.integers(0, len(damaged)))])
    position = int(random.integers(0, header))
    if kind < 0.3:
        damaged[position:position] = random.bytes(int(random.integers(1, 9)))
    elif kind < 0.4:
        del damaged[position : position + int(random.integers(1, 9))]
    else:
        end = header if random.random() < 0.7 else len(damaged)
        for _ in range(int(random.integers(1, 7))):
            place = int(random.integers(min(128, end - 1), end))
            damaged[place] = int(random.choice([0, 1, 255, int(random.integers(256))]))
    return bytes(damaged)


def test_mutations_of_every_kind_of_file(corpus: list[Path], tmp_path: Path) -> None:
    random = np.random.default_rng(20240601)
    files = [path for path in corpus if path.suffix == ".dcm"]
    path = tmp_path / "mutated.dcm"
    ends: collections.Counter[str] = collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing may be printed past the caller either
        for _ in range(MUTATIONS):
            source = files[int(random.integers(len(files)))]
            path.write_bytes(mutate(source.read_bytes(), random))
            start = time.perf_counter()
            for read in (read_header, read_image):
                ends[end(read, path, source)] += 1
            assert time.perf_counter() - start < LONGEST_S, source
    assert ends.pop("image") > 15
    assert set(ends) == {"header", "DecodeError", "NotAnImageError", "UnsupportedImageError"}


def end(read, path: Path, source: Path) -> str:
    try:
        result = read(path)
    except DicomError as error:
        message = str(error)
        assert message.startswith(f"{path}: "), (source, message)
        assert "\n" not in message, (source, message)
        assert len(message) < len(str(path)) + 360, (source, message)
        return type(error).__name__
    if read is read_header:
        return "header"
    assert result.pixels.dtype == np.float32, source
    assert result.pixels.shape == (result.header.rows, result.header.columns), source
    assert np.isfinite(result.pixels).all(), source
    return "image"


def test_what_must_fail_in_the_bundled_files_fails_and_what_is_grey_is_read(bundled) -> None:
    grey = ["CT_small", "MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_jpeg_ls_lossless", "693_J2KI", "image_dfl"]
    for name in grey:
        assert read_image(bundled(f"{name}.dcm")).pixels.max() > 0.9, name
    broken = ["JPEG2000-embedded-sequence-delimiter", "MR_truncated", "badVR", "meta_missing_tsyntax", "nested_priv_SQ"]
    for name in broken:
        assert end(read_image, bundled(f"{name}.dcm"), bundled(name)) != "image"
