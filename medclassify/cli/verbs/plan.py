"""`medclassify plan`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.verb import Verb


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a folder of images, a manifest, or phantom")
    parser.add_argument("--labels", metavar="FILE", help="the label table; not needed with a manifest or the phantom")
    parser.add_argument(
        "--out", type=Path, default=Path("plan.yaml"), metavar="FILE", help="the config to write (default: plan.yaml)"
    )


def _plan(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.config import read_overrides
    from medclassify.workflows.checks import require_data, require_new_file

    require_new_file(arguments.out)
    labels = ["--data.labels", arguments.labels] if arguments.labels else []
    config, _ = read_overrides([*overrides, "--data.source", arguments.source, *labels])
    require_data(config.data)  # before seconds go into importing torch

    from medclassify.planning import plan_summary
    from medclassify.workflows.plan import plan

    planned = plan(arguments.source, arguments.labels, overrides, out=arguments.out)
    print(plan_summary(planned.lines, planned.expected, planned.choices, planned.warnings))
    print(f"\nwrote {arguments.out}: every choice with its reason")
    print(f"next: medclassify fit {arguments.out}")


VERB = Verb(
    "plan",
    "look at the data and the machine, and write a config with a reason for every choice",
    "Counts the data, looks at a sample of its files, times a few training steps on this machine, and writes a config with\n"
    "the reason of every choice above it, and warnings of what the data cannot show. What you have decided already may follow\n"
    "as --dotted.key value, and is kept.",
    "medclassify plan images/ --labels labels.csv --out plan.yaml",
    _plan_arguments,
    _plan,
    takes_overrides=True,
)
