"""`medclassify fit`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.verb import Verb


def _fit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a YAML file, e.g. configs/chest_xray.yaml")
    parser.add_argument("--config", dest="config_option", type=Path, metavar="CONFIG", help="the same, as an option")
    parser.add_argument("--print_config", action="store_true", help="print the resolved config and stop")
    parser.add_argument(
        "--ckpt_path", choices=["last"], help="go on with the unfinished run of this config, stopped at any moment"
    )
    parser.add_argument(
        "--allow-leakage",
        metavar="REASON",
        help="go on although patients or images cross splits; the reason is printed in every report",
    )
    parser.add_argument("--help-config", action="store_true", help="print every config key with its meaning and stop")


def _fit(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.config import config_parser, config_to_yaml, find_config, load_config
    from medclassify.errors import ConfigError
    from medclassify.runs import started_rank

    if arguments.help_config:
        config_parser().print_help()
        return
    path = arguments.config_option or arguments.config
    if path is None:
        raise ConfigError("fit needs a config, e.g. medclassify fit configs/chest_xray.yaml")
    leads = not started_rank()
    if (found := find_config(path)) != path:
        if leads:
            print(f"config: no {path} here; taking the one shipped with medclassify")
        path = found
    if arguments.allow_leakage:
        overrides = [*overrides, "--data.allow_leakage", arguments.allow_leakage]
    if arguments.print_config:
        config = load_config(path, overrides)
        if config.data.exclude_patients:
            from medclassify.workflows.consent import without_ids

            config = without_ids(config)
        print(config_to_yaml(config), end="")
        return
    if leads:  # what was mistyped is told before seconds go into importing torch
        from medclassify.workflows.checks import require_data

        config = load_config(path, overrides)
        if arguments.ckpt_path is None:
            require_data(config.data)

    from medclassify.workflows.fit import fit
    from medclassify.workflows.summary import fit_summary

    fitted = fit(path, overrides, resume=arguments.ckpt_path == "last")
    if fitted:
        print(fit_summary(fitted))


VERB = Verb(
    "fit",
    "the main job: fine-tune, calibrate, test, explain, audit",
    "Index (if needed), split by patient, prepare, fine-tune, calibrate, evaluate on test, explain a sample, audit.\n"
    "Makes a run directory. Any config key may follow as --dotted.key value; --help-config lists them.",
    "medclassify fit configs/chest_xray.yaml --trainer.max_epochs 5",
    _fit_arguments,
    _fit,
    takes_overrides=True,
)
