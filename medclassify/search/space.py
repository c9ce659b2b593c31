"""What a search may vary: typed dimensions, the default ones, and a person's own from YAML."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from medclassify.config import Config
from medclassify.config.validate import validate
from medclassify.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two ends.

    Attributes:
        key: Dotted key of the config.
        low: Smallest value.
        high: Largest value.
        log: Drawn evenly on a logarithmic scale.
        whole: Whole numbers only.
    """

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """Some values.

    Attributes:
        key: Dotted key of the config.
        values: Numbers, texts or booleans.
    """

    key: str
    values: tuple[Any, ...]


Dimension = Range | Options

DEFAULT_SPACE: Mapping[str, Any] = {
    "optimizer.recipe": ["linear_probe", "head_then_full", "gradual", "full"],
    "optimizer.lr": {"low": 3e-5, "high": 3e-3, "log": True},
    "optimizer.head_lr": {"low": 1e-4, "high": 1e-2, "log": True},
    "optimizer.weight_decay": {"low": 1e-3, "high": 0.3, "log": True},
    "optimizer.layer_decay": {"low": 0.6, "high": 1.0},
    "optimizer.label_smoothing": {"low": 0.0, "high": 0.1},
    "optimizer.ema_decay": [0.0, 0.9, 0.98],
    "optimizer.augment": {"low": 0.0, "high": 1.0},
    "model.drop_rate": {"low": 0.0, "high": 0.5},
    "model.drop_path_rate": {"low": 0.0, "high": 0.3},
}
"""Learning rates span a factor of a hundred around those that were measured; the rest spans what papers report as useful."""

RECIPE = "optimizer.recipe"
_OF_PRETRAINED = (RECIPE, "optimizer.layer_decay")
_SEARCHABLE = ("model.drop_rate", "model.drop_path_rate", "data.batch_size", "trainer.accumulate_grad_batches",
               "trainer.gradient_clip_val", "trainer.max_epochs")  # fmt: skip
_FIELDS = {"low": float, "high": float, "log": bool}


def default_space(config: Config) -> tuple[Dimension, ...]:
    """The default dimensions that mean something for a config: random weights have no features to keep."""
    pretrained = config.model.weights != "none"
    chosen = {key: value for key, value in DEFAULT_SPACE.items() if pretrained or key not in _OF_PRETRAINED}
    return parse_space(chosen, config, "the default space")


def read_space(path: Path, config: Config) -> tuple[Dimension, ...]:
    """Reads a space: a mapping of dotted keys to a list of values or to ``{low, high, log}``.

    Raises:
        ConfigError: No such file, not YAML, an unknown key, or values that the key cannot take.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--space {path}: cannot be read ({getattr(error, 'strerror', None) or error}). Name a YAML file."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"--space {path}: not valid YAML ({' '.join(str(error).split())}). Mend that line.") from error
    if not isinstance(values, dict) or not values:
        raise ConfigError(
            f"--space {path}: a space is a mapping such as optimizer.lr: {{low: 1.0e-4, high: 1.0e-3, log: true}}."
        )
    return parse_space(values, config, str(path))


def parse_space(values: Mapping[str, Any], config: Config, where: str) -> tuple[Dimension, ...]:
    """Types and checks dimensions; both ends of each must be a config that may be run.

    Raises:
        ConfigError: As in ``read_space``.
    """
    known = _searchable_keys()
    space = []
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else "what changes the prepared images or the splits cannot be searched."
            raise ConfigError(f"{where}: {key} cannot be searched; {hint}")
        dimension = (
            _range(key, value, known[key], where) if isinstance(value, Mapping) else _options(key, value, known[key], where)
        )
        for end in (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.values:
            validate(with_values(config, {key: end}), where)
        space.append(dimension)
    return tuple(space)


def including(space: Sequence[Dimension], own: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The space widened to hold a config's own values, so that the first trial can be the config as it is."""
    wide = []
    for dimension in space:
        value = own[dimension.key]
        if isinstance(dimension, Options):
            values = dimension.values if value in dimension.values else (*dimension.values, value)
            wide.append(dataclasses.replace(dimension, values=values))
        elif dimension.log and value <= 0:
            raise ConfigError(
                f"{dimension.key} is {value:g} in the config, which a logarithmic range cannot hold. Leave log out."
            )
        else:
            wide.append(dataclasses.replace(dimension, low=min(dimension.low, value), high=max(dimension.high, value)))
    return tuple(wide)


def value_of(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """The config with some dotted keys replaced."""
    for key, value in values.items():
        section, name = key.split(".")
        config = dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **{name: value})})
    return config


def _searchable_keys() -> dict[str, Any]:
    """Key → its type: all of the optimiser's, and what else leaves images and splits as they are."""
    found = {}
    for section, hint in typing.get_type_hints(Config).items():
        if dataclasses.is_dataclass(hint):
            for name, kind in typing.get_type_hints(hint).items():
                key = f"{section}.{name}"
                if section == "optimizer" or key in _SEARCHABLE:
                    found[key] = kind
    return found


def _range(key: str, value: Mapping, kind: Any, where: str) -> Range:
    kinds = set(typing.get_args(kind) or (kind,))
    if not kinds & {int, float}:
        raise ConfigError(f"{where}: {key} has no range; give its values as a list such as [a, b].")
    for name in value:
        if name not in _FIELDS:
            near = difflib.get_close_matches(str(name), _FIELDS, n=1)
            raise ConfigError(
                f"{where}: {key}.{name} is not known; {f'did you mean {near[0]}?' if near else 'low, high and log are.'}"
            )
    low, high = (_number(key, name, value.get(name), where) for name in ("low", "high"))
    log, whole = value.get("log", False), float not in kinds
    if not isinstance(log, bool):
        raise ConfigError(f"{where}: {key}.log must be true or false, received {log!r}.")
    if not low < high:
        raise ConfigError(f"{where}: {key}.low must be below high, received {low:g} and {high:g}.")
    if log and low <= 0:
        raise ConfigError(f"{where}: {key}.low must be above 0 on a logarithmic scale, received {low:g}.")
    if whole and (low % 1 or high % 1):
        raise ConfigError(f"{where}: {key} takes whole numbers, received {low:g} to {high:g}.")
    return Range(key, int(low) if whole else low, int(high) if whole else high, log, whole)


def _number(key: str, name: str, value: Any, where: str) -> float:
    try:
        number = float(value)  # a text too: YAML takes 1e-4 for one, without a point
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ConfigError(f"{where}: {key}.{name} must be a number, received {value!r}.")
    return number


def _options(key: str, value: Any, kind: Any, where: str) -> Options:
    if not isinstance(value, list) or not value:
        raise ConfigError(f"{where}: {key} must be a list of values or {{low: a, high: b}}, received {value!r}.")
    if len({repr(item) for item in value}) < len(value):
        raise ConfigError(f"{where}: {key} holds a value twice: {value}.")
    return Options(key, tuple(_typed(key, item, kind, where) for item in value))


def _typed(key: str, item: Any, kind: Any, where: str) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        known = typing.get_args(kind)
        if item not in known:
            near = difflib.get_close_matches(str(item), [str(one) for one in known], n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(map(str, known))}."
            raise ConfigError(f"{where}: {key} cannot be {item!r}; {hint}")
        return item
    kinds = set(typing.get_args(kind) or (kind,))
    if kinds & {int, float} and not isinstance(item, bool):
        number = _number(key, "value", item, where)
        return number if float in kinds else int(number) if number % 1 == 0 else _refuse_type(key, item, where)
    if bool in kinds and isinstance(item, bool):
        return item
    return item if str in kinds and isinstance(item, str) else _refuse_type(key, item, where)


def _refuse_type(key: str, item: Any, where: str) -> typing.NoReturn:
    raise ConfigError(f"{where}: {key} cannot be {item!r}.")
