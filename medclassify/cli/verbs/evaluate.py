"""`medclassify evaluate`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument
from medclassify.cli.verbs.verb import Verb


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    run_argument(parser)
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="score these samples; the run's own test split when left out"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN-on-MANIFEST, beside the run")
    exclude_patients_argument(parser)


def _evaluate(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.finished_run(arguments.run)
    checks.require_manifest(arguments.manifest)
    checks.require_new_folder(arguments.out or checks.default_folder(arguments.run, arguments.manifest))

    from medclassify.workflows.evaluate import evaluate
    from medclassify.workflows.summary import auroc_table

    result, out = evaluate(arguments.run, arguments.manifest, arguments.out, arguments.exclude_patients)
    print(auroc_table(result))
    print(f"wrote {out}/predictions.parquet and {out}/audit/report.html")
    print(f"next: open {out}/audit/report.html")


VERB = Verb(
    "evaluate",
    "score and audit a manifest with a finished run",
    "Predicts and audits a labelled manifest, internal or external, with a finished run's frozen model and thresholds.",
    "medclassify evaluate runs/chest_xray-20260102T030405Z --manifest external.parquet",
    _evaluate_arguments,
    _evaluate,
)
