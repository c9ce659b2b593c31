"""Reads a config file and the command line's ``--dotted.key value`` over it."""

import dataclasses
import difflib
import functools
import operator
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from medclassify.config.schema import Config
from medclassify.config.validate import validate
from medclassify.errors import ConfigError

_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "a text",
    "tuple": "a list such as [a, b]",
    "list": "a list such as [a, b]",
    "dict": "a mapping such as {name: value}",
    "NoneType": "null",
}


def config_parser() -> ArgumentParser:
    """The parser made from the config dataclasses; its help is their field docs."""
    parser = ArgumentParser(prog="medclassify fit CONFIG", usage="%(prog)s [--dotted.key value ...]", exit_on_error=False)
    parser.add_class_arguments(Config, None)
    return parser


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Reads, types and validates a config.

    Args:
        path: A YAML file; keys left out take their defaults.
        overrides: ``["--trainer.max_epochs", "3", "--data.source=folder"]``, over the file.

    Returns:
        The frozen config.

    Raises:
        ConfigError: No such file, not YAML, an unknown key (with the nearest known one), a wrong type, a contradiction.
    """
    return _parse(_read_yaml(Path(path)), path, overrides)


def read_overrides(overrides: Sequence[str]) -> tuple[Config, dict[str, Any]]:
    """Reads ``--dotted.key value`` words that stand alone, over the defaults.

    Returns:
        The config, and what the words say: dotted key → plain value.

    Raises:
        ConfigError: As in ``load_config``.
    """
    config = _parse({}, "command line", overrides)
    plain = _plain(dataclasses.asdict(config))
    return config, {key: functools.reduce(operator.getitem, key.split("."), plain) for key in _override_keys(overrides)}


def find_config(path: Path | str) -> Path:
    """The file itself, or, where there is none, the config of that name that is shipped with the program.

    So ``configs/chest_xray.yaml`` means the same in a checkout, in another folder, and after an installation from a wheel.
    """
    path, package = Path(path), Path(__file__).parents[1]
    inside = path.relative_to("configs") if path.is_relative_to("configs") else path
    if path.exists() or inside.parent not in (Path(), Path("policies")):
        return path
    shipped = (folder / inside for folder in (package / "_configs", package.parent / "configs"))
    return next((file for file in shipped if file.is_file()), path)


def config_to_yaml(config: Config) -> str:
    """The config as YAML that ``load_config`` reads back to an equal config."""
    return yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False, allow_unicode=True, width=120)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config. The shipped ones are in configs/, e.g. configs/chest_xray.yaml.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give a YAML text file.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML ({_one_line(error)}). Mend that line.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a config is a mapping of keys to values, received a {type(values).__name__}.")
    return values


def _parse(values: dict[str, Any], path: Path | str, overrides: Sequence[str]) -> Config:
    _refuse_unknown(values, str(path), prefix="")
    for key in _override_keys(overrides):
        _refuse_unknown(_nested(key), "command line", prefix="--")
    parser = config_parser()
    try:
        namespace = parser.parse_args(list(overrides), parser.parse_object(values))
        config = Config(**vars(parser.instantiate(namespace)))
    except Exception as error:  # jsonargparse raises several types; all of them speak of the user's values
        raise ConfigError(_in_words(_one_line(error), path, overrides)) from error
    validate(config, f"{path} with the command line" if overrides and values else str(path))
    return config


def _in_words(message: str, path: Path | str, overrides: Sequence[str]) -> str:
    """Says where a wrong value stands, its key, and what it must be; jsonargparse names Python's types."""
    match = re.match(r'Parser key "(?P<key>[^"]+)": (?P<text>.*)', message)
    if not match:
        return f"{path}: {message}"
    key, text = match["key"], match["text"]
    given = [name for name in _override_keys(overrides) if f"{name}.".startswith(f"{key}.") or f"{key}.".startswith(f"{name}.")]
    where = f"command line: --{key}" if given else f"{path}: {key}"
    value = re.search(r"(?:Got value|Given value): (.*?)(?= Given value|$)", text)
    wanted = re.findall(r"Expected a (.+?)(?=\. Got value| - Expected| Given value)", text)
    if not value or not wanted:
        return f"{where}: {text}"
    return f"{where} must be {' or '.join(dict.fromkeys(map(_kind_in_words, wanted)))}, received {value[1]!r}."


def _kind_in_words(kind: str) -> str:
    if kind.startswith("typing.Literal["):
        return f"one of {kind.removeprefix('typing.Literal[').rstrip(']')}".replace("'", "")
    bare = kind.removeprefix("<class '").removesuffix("'>")
    return _KINDS.get(re.split(r"\W", bare)[0], bare)


def _override_keys(overrides: Sequence[str]) -> Iterator[str]:
    return (token[2:].split("=", 1)[0] for token in overrides if token.startswith("--"))


def _nested(dotted: str) -> dict[str, Any]:
    *outer, last = dotted.split(".")
    nested: dict[str, Any] = {last: None}
    for key in reversed(outer):
        nested = {key: nested}
    return nested


def _refuse_unknown(values: Mapping[str, Any], where: str, prefix: str) -> None:
    known = dict(_keys(Config))
    for dotted in _dotted(values, known):
        if dotted not in known:
            nearest = difflib.get_close_matches(dotted, known, n=1, cutoff=0.5)
            hint = (
                f"; did you mean {prefix}{nearest[0]}?"
                if nearest
                else f". Known are: {', '.join(k for k in known if '.' not in k)}."
            )
            raise ConfigError(f"{where}: {prefix}{dotted} is not known{hint}")


def _keys(schema: type, prefix: str = "") -> Iterator[tuple[str, type | None]]:
    """Every dotted key, with the dataclass it opens or None for a value."""
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        inner = (
            hint
            if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and dataclasses.is_dataclass(hint)
            else None
        )
        yield prefix + field.name, inner
        if inner:
            yield from _keys(inner, f"{prefix}{field.name}.")


def _dotted(values: Mapping[Any, Any], known: Mapping[str, type | None], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        yield dotted
        if isinstance(value, Mapping) and known.get(dotted):
            yield from _dotted(value, known, f"{dotted}.")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
