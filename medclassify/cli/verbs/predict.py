"""`medclassify predict`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument, scheduler_argument, source_arguments
from medclassify.cli.verbs.verb import Verb


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    run_argument(parser)
    source_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("predictions.parquet"),
        metavar="FILE",
        help=".parquet or .csv (default: predictions.parquet)",
    )
    scheduler_argument(parser)
    exclude_patients_argument(parser)


def _predict(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows import checks

    checks.finished_run(arguments.run)
    checks.require_table_name(arguments.out)
    checks.require_sources(arguments.sources)

    from medclassify.workflows.predict import predict
    from medclassify.workflows.summary import prediction_lines

    result = predict(arguments.run, arguments.sources, arguments.out, arguments.exclude_patients, arguments.scheduler)
    print(prediction_lines(result))
    files, left_out = result.out.with_suffix(".files.csv"), result.out.with_suffix(".exclusions.csv")
    print(f"wrote {result.out}, {files} (which file a sample is) and {left_out} ({len(result.exclusions)} left out)")
    print(f"next: medclassify explain {arguments.run} {' '.join(arguments.sources)} --out maps")


VERB = Verb(
    "predict",
    "score new images",
    "Scores DICOM, PNG or JPEG files, folders or a manifest with the calibrated model of a finished run.",
    "medclassify predict runs/chest_xray-20260102T030405Z new_images/ --out predictions.csv",
    _predict_arguments,
    _predict,
)
