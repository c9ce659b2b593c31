"""Whatever a file holds, reading it ends in an image or in one named error, soon and within little memory.

``pytest -m slow tests/fuzz`` reads all 20,000 mutations, ``python -m benchmarks robustness`` prints the table of how they end.
"""

import collections
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from medclassify.dicom import read_header, read_image
from medclassify.errors import DecodeError, NotAnImageError, UnsupportedImageError
from tests.fuzz.mutations import BUNDLED, corpus, mutant
from tests.fuzz.reading import Ending, outcome, read_all

SEED = 20240601
ALL, SLICE = 20_000, 600
SECONDS_A_FILE = 5.0
MIB_A_FILE = 1024.0
NAMED = {"header", "image", *(error.__name__ for error in (DecodeError, NotAnImageError, UnsupportedImageError))}

SEVERAL_FRAMES = ("SC_rgb_rle_16bit_2frame", "SC_rgb_rle_2frame", "SC_rgb_rle_32bit_2frame", "examples_ybr_color")
NO_PICTURES = (  # segmentations and dose grids
    "liver_1frame", "liver_expb_1frame", "rtdose", "rtdose_1frame", "rtdose_expb", "rtdose_expb_1frame", "rtdose_rle",
    "rtdose_rle_1frame",
)  # fmt: skip
NOT_AS_IMAGES = {
    "test_files/JPEG2000-embedded-sequence-delimiter.dcm": ("header", "DecodeError"),
    "test_files/MR_truncated.dcm": ("DecodeError", "DecodeError"),
    "test_files/badVR.dcm": ("DecodeError", "DecodeError"),
    "test_files/meta_missing_tsyntax.dcm": ("DecodeError", "DecodeError"),
    "test_files/nested_priv_SQ.dcm": ("NotAnImageError", "NotAnImageError"),
    **dict.fromkeys((f"test_files/{name}.dcm" for name in SEVERAL_FRAMES), ("header", "UnsupportedImageError")),
    **dict.fromkeys((f"test_files/{name}.dcm" for name in NO_PICTURES), ("header", "UnsupportedImageError")),
}
OF_TEXT_ALONE = [f"charset_files/{name}.dcm" for name in ("chrJapMulti", "chrJapMultiExplicitIR6", "chrKoreanMulti")]
OTHERS = 83


def check(endings: list[Ending], count: int) -> None:
    assert len(endings) == count
    assert [ending for ending in endings if ending.is_bug] == []
    assert max(ending.seconds for ending in endings) < SECONDS_A_FILE
    assert max(ending.peak_mib for ending in endings) < MIB_A_FILE
    ends = collections.Counter(name for ending in endings for name in (ending.header, ending.image, ending.shrunk))
    assert set(ends) == NAMED
    assert min(ends.values()) > count / 100  # the fuzzer reaches every end


def test_a_slice_of_the_mutations() -> None:
    check(list(read_all(SEED, SLICE)), SLICE)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_all_mutations() -> None:
    check(list(read_all(SEED, ALL, processes=os.cpu_count() or 1)), ALL)


def ends(path: Path) -> tuple[str, str]:
    return outcome(lambda: read_header(path), path), outcome(lambda: read_image(path), path)


def test_every_bundled_file_ends_as_listed() -> None:
    found = {path.relative_to(BUNDLED).as_posix(): ends(path) for path in corpus()}
    listed = NOT_AS_IMAGES | dict.fromkeys(OF_TEXT_ALONE, ("header", "NotAnImageError"))
    others = {name: end for name, end in found.items() if name not in listed and end != ("header", "image")}
    assert {name: found[name] for name in listed} == listed
    assert set(others.values()) == {("NotAnImageError", "NotAnImageError")}  # reports, plans, palettes, waveforms, directories
    assert (len(found), len(others)) == (193, OTHERS)


def test_a_mutation_is_the_same_for_the_same_seed_and_number() -> None:
    first = [mutant(1, number) for number in range(60)]
    assert first == [mutant(1, number) for number in range(60)]
    assert sum(data != source.read_bytes() for source, _, data in first) > 50
    assert first[7] != mutant(2, 7)
    assert len({source for source, _, _ in (mutant(1, number) for number in range(len(corpus())))}) == len(corpus())


def test_the_fuzzer_sees_what_must_not_be(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"

    def fail(error: BaseException) -> str:
        def read() -> None:
            raise error

        return outcome(read, path)

    assert fail(ValueError("x")).startswith("BUG: ValueError: x at test_fuzz.py:")
    assert fail(RecursionError()).startswith("BUG: RecursionError")
    assert fail(DecodeError("no path")).startswith("BUG: message")
    assert fail(DecodeError(f"{path}: two\nlines")).startswith("BUG: message")
    assert fail(DecodeError(f"{path}: said")) == "DecodeError"

    class NotFinite:
        pixels = np.full((2, 2), np.nan, np.float32)

    assert outcome(lambda: NotFinite, path).startswith("BUG: pixels float32 (2, 2), not all finite")


def children() -> set[int]:
    return {int(number) for number in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


def test_a_process_that_dies_costs_one_mutation() -> None:
    before = children()  # other tests may have left a server or a browser running
    endings = read_all(SEED, 400)
    got = [next(endings)]
    (child,) = children() - before
    os.kill(child, signal.SIGSEGV)
    got += endings
    assert [ending.number for ending in got] == list(range(400))
    died = [ending for ending in got if ending.is_bug]
    assert [ending.image for ending in died] == ["BUG: the process ended with -11"]
