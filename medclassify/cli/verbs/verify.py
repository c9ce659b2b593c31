"""`medclassify verify`."""

import argparse
from collections.abc import Sequence

from medclassify.cli.verbs.arguments import run_argument
from medclassify.cli.verbs.verb import Verb


def _verify(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.verify import verify_run

    unchanged = verify_run(arguments.run)
    print(f"{arguments.run}: {unchanged} files are what the run wrote; nothing was changed, lost or added")
    print(f"next: medclassify review {arguments.run}")


VERB = Verb(
    "verify",
    "check that a run is what was written",
    "Computes the hash of every file of a run again and says what was changed, lost or added.",
    "medclassify verify runs/chest_xray-20260102T030405Z",
    run_argument,
    _verify,
)
