"""Arguments that several verbs take."""

import argparse
from pathlib import Path


def source_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, folders, or one manifest."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="DICOM, PNG or JPEG files, folders, or one manifest")


def run_argument(parser: argparse.ArgumentParser) -> None:
    """A finished run."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory, as `medclassify fit` printed it")


def scheduler_argument(parser: argparse.ArgumentParser) -> None:
    """Where a Dask cluster is to be found."""
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="work on a Dask cluster: tcp://HOST:8786, tls://HOST:8786 or the scheduler's file; see docs/cluster.md",
    )


def exclude_patients_argument(parser: argparse.ArgumentParser) -> None:
    """Who withdrew consent."""
    parser.add_argument(
        "--exclude-patients",
        nargs="+",
        default=(),
        metavar="ID",
        help="patients who withdrew consent: ids, their hashes, or @FILE with one a line; see docs/privacy.md",
    )
