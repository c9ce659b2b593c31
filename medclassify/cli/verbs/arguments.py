"""Arguments that several verbs take."""

import argparse
from pathlib import Path


def source_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, folders, or one manifest."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="DICOM, PNG or JPEG files, folders, or one manifest")


def run_argument(parser: argparse.ArgumentParser) -> None:
    """A finished run."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory, as `medclassify fit` printed it")


def exclude_patients_argument(parser: argparse.ArgumentParser) -> None:
    """Who withdrew consent."""
    parser.add_argument(
        "--exclude-patients",
        nargs="+",
        default=(),
        metavar="ID",
        help="patients who withdrew consent: ids, their hashes, or @FILE with one a line",
    )
