"""What the page was started with: ``python -m streamlit run app/review.py -- RUN [options] [excluded patients]``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arguments:
    """What `medclassify review` passes on.

    Attributes:
        root: The run directory; None where none was named.
        store: A database URL; None for the run's own file.
        idle: How long a session lasts after its last use.
        show_identity: The site allows that a patient's identity is shown.
        excluded: Patients (hashes) who are not to be shown.
    """

    root: Path | None
    store: str | None
    idle: timedelta
    show_identity: bool
    excluded: tuple[str, ...]


def read_arguments(words: Sequence[str]) -> Arguments:
    """Reads the words after ``--``."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--store")
    parser.add_argument("--idle-minutes", type=float, default=30.0)
    parser.add_argument("--show-phi", action="store_true")
    parser.add_argument("excluded", nargs="*")
    given = parser.parse_intermixed_args(list(words))
    root = Path(given.run) if given.run else None
    return Arguments(root, given.store, timedelta(minutes=given.idle_minutes), given.show_phi, tuple(given.excluded))
