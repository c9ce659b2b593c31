"""`medclassify prepare`."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from medclassify.cli.verbs.arguments import scheduler_argument
from medclassify.cli.verbs.verb import Verb


def _prepare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, e.g. configs/chest_xray.yaml")
    scheduler_argument(parser)


def _prepare(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    from medclassify.config import find_config, load_config
    from medclassify.workflows.checks import require_data

    path = find_config(arguments.config)
    if path != arguments.config:
        print(f"config: no {arguments.config} here; taking the one shipped with medclassify")
    require_data(load_config(path, overrides).data)  # what was mistyped is told before seconds go into imports

    from medclassify.workflows.prepare import prepare_config

    prepared = prepare_config(path, overrides, arguments.scheduler)
    images, left_out = len(prepared.dataset.store.index), len(prepared.dataset.exclusions)
    print(f"wrote {prepared.folder} ({images} images, {prepared.size / 1e6:.1f} MB; {left_out} left out)")
    print(f"next: medclassify fit {shlex.join([str(arguments.config), *overrides])}")


VERB = Verb(
    "prepare",
    "decode the images of a config into the cache, here or on a cluster",
    "Does what fit does before it trains: index (if needed), split, check, decode into the cache. A fit of the same config\n"
    "then decodes nothing. Any config key may follow as --dotted.key value.",
    "medclassify prepare configs/chest_xray.yaml --scheduler tcp://head-node:8786",
    _prepare_arguments,
    _prepare,
    takes_overrides=True,
)
