"""`medclassify audit`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument
from medclassify.cli.verbs.verb import Verb


def _audit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--predictions", type=Path, metavar="FILE", help="anyone's predictions table (.csv or .parquet) instead of a run"
    )
    parser.add_argument("--attributes", default="", metavar="A,B", help="its attribute columns, e.g. sex,age,site")
    parser.add_argument(
        "--intersections", default="", metavar="A*B,…", help="pairs of them to cross, declared beforehand, e.g. sex*age"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN-audit beside the run, or FILE-audit")
    exclude_patients_argument(parser)


def _audit(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.runs import RunLayout
    from medclassify.workflows import checks

    attributes = tuple(name.strip() for name in arguments.attributes.split(",") if name.strip())
    if arguments.run is not None and arguments.predictions is None:
        checks.require_columns(attributes, RunLayout.open(arguments.run))  # a table is read and checked without torch

    from medclassify.workflows.audit import audit
    from medclassify.workflows.summary import auroc_table

    crossed = [tuple(part.strip() for part in pair.split("*")) for pair in arguments.intersections.split(",") if pair.strip()]
    result, out = audit(arguments.run, arguments.predictions, attributes, arguments.out, arguments.exclude_patients, crossed)
    print(auroc_table(result))
    print(f"wrote {out}/report.html, model_card.md, estimates.csv, gaps.csv and audit.json")
    print(f"next: open {out}/report.html")


VERB = Verb(
    "audit",
    "subgroup-bias report, from a run or anyone's predictions",
    "Writes the subgroup-bias report of a run, or of a predictions table made elsewhere.",
    "medclassify audit --predictions theirs.csv --attributes sex,age,site",
    _audit_arguments,
    _audit,
)
