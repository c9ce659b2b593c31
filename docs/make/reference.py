"""Writes the generated parts of docs/cli.md and docs/config.md, from the parser and from the config's dataclasses.

``python docs/make/reference.py`` after a change of an option, of a config key or of their words; a contract test fails until
then. A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. What stands around it is written by hand.
"""

import argparse
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import docstring_parser

from medclassify.cli.verbs import VERBS, Verb
from medclassify.config import Config

DOCS = Path(__file__).resolve().parents[1]
WORDS = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}


def options_table(verb: Verb) -> str:
    """The arguments of a verb, each with its help."""
    parser = argparse.ArgumentParser(add_help=False)
    verb.add_arguments(parser)
    lines = ["| Argument | |", "|---|---|"]
    for action in parser._actions:
        required = "; required" if action.required and action.option_strings else ""
        choices = [f"`{choice}`" for choice in action.choices or ()]
        one_of = f"; one of {', '.join(choices)}" if len(choices) > 1 else ""
        lines.append(f"| `{_spelled(action)}` | {_cell(action.help or '')}{one_of}{required} |")
    if verb.takes_overrides:
        lines.append("| `--dotted.key VALUE …` | any key of the [config](config.md), over the file |")
    return "\n".join(lines)


def config_tables(config: type = Config, prefix: str = "") -> str:
    """One section a dataclass, outermost first, each key with its type, its default and its meaning."""
    meanings = {entry.arg_name: entry.description or "" for entry in docstring_parser.parse(config.__doc__ or "").params}
    hints = typing.get_type_hints(config)
    plain = [field for field in dataclasses.fields(config) if not dataclasses.is_dataclass(hints[field.name])]
    lines = ["| Key | Takes | Default | |", "|---|---|---|---|"]
    for field in plain:
        shown = [f"`{prefix}{field.name}`", _type(hints[field.name]), _default(field), _cell(meanings[field.name])]
        lines.append(f"| {' | '.join(shown)} |")
    parts = ["\n".join(lines)]
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(nested := hints[field.name]):
            parts.append(f"## {prefix}{field.name}\n\n{_cell(docstring_parser.parse(nested.__doc__).description or '')}")
            parts.append(config_tables(typing.cast(type, nested), f"{prefix}{field.name}."))
    return "\n\n".join(parts)


def generated(page: str, parts: dict[str, Callable[[], str]]) -> str:
    """The page with each of its parts made anew.

    Raises:
        ValueError: A part has no place on the page, or a place has no part.
    """
    places = re.findall(r"^<!-- generated: (\S+) -->$", page, flags=re.MULTILINE)
    if sorted(places) != sorted(parts):
        raise ValueError(
            f"expected one <!-- generated: NAME --> … <!-- end --> each for {sorted(parts)}, found {sorted(places)}"
        )
    pattern = re.compile(r"^(<!-- generated: (\S+) -->\n).*?^(<!-- end -->)$", flags=re.MULTILINE | re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{parts[found[2]]()}\n{found[3]}", page)


def pages() -> Iterator[tuple[Path, str]]:
    """Each page that has generated parts, and how it should read."""
    tables = {verb.name: (lambda verb=verb: options_table(verb)) for verb in VERBS}
    for name, parts in {"cli.md": tables, "config.md": {"keys": config_tables}}.items():
        path = DOCS / name
        yield path, generated(path.read_text(encoding="utf-8"), parts)


def _spelled(action: argparse.Action) -> str:
    only = [str(choice) for choice in action.choices or ()]
    value = "" if action.nargs == 0 else action.metavar or (only[0] if len(only) == 1 else action.dest.upper())
    several = " …" if action.nargs in ("+", "*") else ""
    return " ".join(filter(None, [", ".join(action.option_strings), str(value)])) + several


def _cell(text: str) -> str:
    """Docstring or help as one line of a table; pages that it names become links."""
    text = re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).replace("|", r"\|")
    text = text.replace("%%", "%")
    return re.sub(r"docs/([\w-]+\.md)", lambda page: f"[{page[1]}]({page[1]})" if (DOCS / page[1]).is_file() else page[0], text)


def _type(hint: object) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments if one is not types.NoneType)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    return WORDS[typing.cast(type, hint)]


def _default(field: dataclasses.Field) -> str:
    value = field.default if field.default is not dataclasses.MISSING else typing.cast(Callable, field.default_factory)()
    if value is None or value in ("", (), {}):
        return "–"
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    return f"`{text or ('[' + ', '.join(map(str, value)) + ']' if isinstance(value, tuple) else value)}`"


if __name__ == "__main__":
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
