"""`medclassify tune-hparams`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.verb import Verb

_SECONDS = {"s": 1, "m": 60, "h": 3600, "": 1}


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 30m or 2h, received {text!r}")
    return float(found[1]) * _SECONDS[found[2]]


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, received {text!r}")
    return int(text)


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the config to search around, e.g. of `medclassify plan`")
    parser.add_argument(
        "--trials", type=_count, default=20, metavar="N", help="trials in all, those of an earlier start included (default: 20)"
    )
    parser.add_argument("--timeout", type=_duration, metavar="TIME", help="begin no epoch after this long: 90s, 30m or 2h")
    parser.add_argument(
        "--space", type=Path, metavar="FILE", help="what to vary, as YAML (docs/tune.md); left out: a small default space"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the search's folder; one that is there is gone on with (default: tune-CONFIG)"
    )


def _tune(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.config import find_config, load_config
    from medclassify.search import default_space, read_space, require_optuna
    from medclassify.workflows.checks import require_data

    require_optuna()
    path = find_config(arguments.config)
    config = load_config(path, overrides)  # what was mistyped is told before seconds go into importing torch
    read_space(arguments.space, config) if arguments.space else default_space(config)
    require_data(config.data)

    from medclassify.workflows.tune_hparams import tune_hparams

    tuned = tune_hparams(
        path,
        overrides,
        out=arguments.out or Path(f"tune-{path.stem}"),
        trials=arguments.trials,
        seconds=arguments.timeout,
        space_path=arguments.space,
    )
    print("\n".join(tuned.lines))
    print(f"\nwrote {tuned.best} and {tuned.folder / 'trials.csv'}")
    print(f"next: medclassify fit {tuned.best}")


VERB = Verb(
    "tune-hparams",
    "search for better values of a config, on the tune split alone",
    "Runs trials of a config with other values (Optuna), judged by the macro AUROC on the tune split; calibrate and test are\n"
    "never touched. Weak trials end early. Broken off, the same command goes on. Any config key may follow as\n"
    "--dotted.key value.",
    "medclassify tune-hparams plan.yaml --trials 20 --timeout 30m --out search",
    _tune_arguments,
    _tune,
    takes_overrides=True,
)
