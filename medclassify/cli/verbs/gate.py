"""`medclassify gate`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.verb import Verb


def _gate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run, or a folder that `evaluate` or `audit` wrote")
    parser.add_argument("policy", type=Path, metavar="POLICY", help="a policy file; examples are in configs/policies/")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write every rule with its numbers as JSON")


def _gate(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.workflows.gate import gate

    results = gate(arguments.run, arguments.policy, arguments.out)
    print(f"{arguments.run}: all {len(results)} rules of {arguments.policy} PASS")


VERB = Verb(
    "gate",
    "check a run or an audit against a policy file, for CI",
    "Checks a run, or an audit of anyone's predictions, against the rules of a policy file: one line a rule, exit code 0 when\n"
    "all pass and 1 otherwise. What cannot be known from the folder does not pass.",
    "medclassify gate runs/chest_xray-20260102T030405Z configs/policies/run.yaml --out gate.json",
    _gate_arguments,
    _gate,
)
