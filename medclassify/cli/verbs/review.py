"""`medclassify review`."""

import argparse
from collections.abc import Sequence

from medclassify.cli.verbs.arguments import exclude_patients_argument, run_argument
from medclassify.cli.verbs.verb import Verb


def _review_arguments(parser: argparse.ArgumentParser) -> None:
    run_argument(parser)
    parser.add_argument("--port", type=int, default=8501, help="port on the loopback address (default: 8501)")
    exclude_patients_argument(parser)


def _review(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.review import review

    review(arguments.run, arguments.port, arguments.exclude_patients)


VERB = Verb(
    "review",
    "open the review dashboard",
    "Starts the Streamlit review dashboard of a run on the loopback address.",
    "medclassify review runs/chest_xray-20260102T030405Z --port 8501",
    _review_arguments,
    _review,
)
