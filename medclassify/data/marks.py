"""Which file was at work when a process died, so that one file does not kill process after process."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path

from medclassify.data.workers import Prepared, prepare_in_workers
from medclassify.records import Exclusion, Preprocessing

KILLED_ITS_WORKER = "the worker died with it, twice"
_DEATHS = 2  # a worker may also die for a reason of its own
_BEGUN = "begun"


class Marks:
    """Notes of the attempts at some files, in a file that outlives the process.

    The first attempt leaves one note. Where that did not come to its end, the next is careful: it notes each file before it
    touches it. A file that was the last note of two careful attempts is fatal.

    Args:
        path: The notes; nothing there means that this is the first attempt.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        before = path.read_text(encoding="ascii").split() if path.exists() else []
        self.careful = bool(before)
        self._deaths = Counter(int(note) for note, after in pairwise([*before, _BEGUN]) if note != _BEGUN and after == _BEGUN)
        self._note(_BEGUN)

    def fatal(self, number: int) -> bool:
        """Whether this file has ended two attempts."""
        return self._deaths[number] >= _DEATHS

    def at(self, number: int) -> None:
        """Notes that this file comes next."""
        self._note(str(number))

    def clear(self) -> None:
        """All is done."""
        self.path.unlink(missing_ok=True)

    def _note(self, word: str) -> None:
        with open(self.path, "a", encoding="ascii") as file:  # closed each time: that is when a network file system sends it
            file.write(f"{word}\n")


def prepare_marked(paths: Sequence[str], preprocessing: Preprocessing, marks: Marks) -> Iterator[Prepared]:
    """Prepares files with one process that is kept for the next call; files that are fatal are left out, untouched.

    Args:
        paths: DICOM, PNG or JPEG files.
        preprocessing: What the network expects.
        marks: Of earlier attempts at these paths.

    Yields:
        For each path, in order, the prepared image or why there is none.
    """
    if not marks.careful:
        with closing(prepare_in_workers(paths, preprocessing, processes=1, keep=True)) as results:
            yield from results
        return
    for number, path in enumerate(paths):
        if marks.fatal(number):
            yield fatal_exclusion(path)
            continue
        marks.at(number)
        with closing(prepare_in_workers([path], preprocessing, processes=1, keep=True)) as results:
            yield from islice(results, 1)


def fatal_exclusion(path: str) -> Exclusion:
    """What is told of a file that two workers died with."""
    return Exclusion(path, KILLED_ITS_WORKER, f"{path}: {KILLED_ITS_WORKER}. Leave it out, or give the workers more memory.")
