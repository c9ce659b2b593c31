"""`medclassify predict`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument, scheduler_argument, source_arguments
from medclassify.cli.verbs.verb import Verb
from medclassify.errors import ConfigError


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
    parser.add_argument(
        "--prevalence",
        nargs="*",
        metavar="FINDING=SHARE",
        help="correct probabilities for the prevalence where these images come from (label shift only; docs/calibration.md); "
        "without a value: no correction, whatever the config declared",
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

    prevalence = None if arguments.prevalence is None else shares(arguments.prevalence)
    result = predict(
        arguments.run, arguments.sources, arguments.out, arguments.exclude_patients, arguments.scheduler, prevalence
    )
    print(prediction_lines(result))
    files, left_out = result.out.with_suffix(".files.csv"), result.out.with_suffix(".exclusions.csv")
    origin = result.out.with_suffix(".provenance.json")
    print(
        f"wrote {result.out}, {files} (which file a sample is), {left_out} ({len(result.exclusions)} left out) "
        f"and {origin} (what made it)"
    )
    print(f"next: medclassify explain {arguments.run} {' '.join(arguments.sources)} --out maps")


def shares(words: Sequence[str]) -> dict[str, float]:
    """``FINDING=SHARE`` words as numbers; whether they make sense is the model's to say.

    Raises:
        ConfigError: A word has another form, or a finding stands twice.
    """
    found: dict[str, float] = {}
    for word in words:
        name, _, share = word.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            name, value = "", 0.0
        if not name or name in found:
            raise ConfigError(
                f"--prevalence: expected FINDING=SHARE, each finding once, such as effusion=0.02; received {word!r}."
            )
        found[name] = value
    return found


VERB = Verb(
    "predict",
    "score new images",
    "Scores DICOM, PNG or JPEG files, folders or a manifest with the calibrated model of a finished run.",
    "medclassify predict runs/chest_xray-20260102T030405Z new_images/ --out predictions.csv",
    _predict_arguments,
    _predict,
)
