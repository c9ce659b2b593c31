"""`medclassify compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.verb import Verb


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    what = "a run, a folder that `evaluate` wrote, or a predictions table (.csv or .parquet)"
    parser.add_argument("first", type=Path, metavar="RUN_A", help=f"what stands: {what}")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="what is held against it; differences are RUN_B minus RUN_A")
    parser.add_argument("--attributes", default="", metavar="A,B", help="compare by these columns too, e.g. sex,age,site")
    parser.add_argument(
        "--margin", type=float, default=0.05, metavar="SIZE", help="equal within it, in AUROC and rates (default: 0.05)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_A-vs-RUN_B beside RUN_A")


def _compare(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.compare import compare, tell

    attributes = tuple(name.strip() for name in arguments.attributes.split(",") if name.strip())
    found, out = compare(arguments.first, arguments.second, attributes, arguments.out, margin=arguments.margin)
    tell(found)
    print(f"wrote {out}/compare.html, compare.csv and compare.json")
    print(f"next: open {out}/compare.html")


VERB = Verb(
    "compare",
    "two runs or predictions tables: paired on the same samples, else drift",
    "Compares two runs or predictions tables. Samples that both have (by sample_id) are compared by paired tests; tables that\n"
    "share no sample, as an external test set or a later year, by unpaired ones, with prevalence, score shift and calibration.",
    "medclassify compare runs/before runs/after --attributes sex,age_band",
    _compare_arguments,
    _compare,
)
