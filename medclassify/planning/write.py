"""A plan as YAML that a person can read and ``fit`` takes as it is."""

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from medclassify.planning.choice import Choice

_WIDTH = 120
_ORDER = ("seed_everything", "run_dir", "data", "model", "trainer", "optimizer", "calibration", "explain", "audit", "review")


def plan_to_yaml(head: Sequence[str], warnings: Sequence[str], choices: Sequence[Choice]) -> str:
    """Writes choices as nested YAML, each below a comment with its reason.

    Args:
        head: Lines at the top.
        warnings: What comes right after it.
        choices: In any order; keys of one section are put together.

    Returns:
        YAML that ``config.load_config`` reads.
    """
    lines = [text for line in head for text in _comment(line, "")]
    if warnings:
        lines += ["#", "# WARNINGS"]
        lines += [text for line in warnings for text in _comment(line, "", "- ")]
    lines.append("")
    ordered = sorted(choices, key=lambda choice: (_ORDER.index(choice.key.partition(".")[0]), choice.key.rpartition(".")[0]))
    section = ""
    for choice in ordered:
        outer, _, inner = choice.key.rpartition(".")
        if outer != section:
            lines += [f"{'  ' * depth}{name}:" for depth, name in _opened(section, outer)]
            section = outer
        indent = "  " * len(outer.split(".")) if outer else ""
        lines += _comment(choice.reason, indent)
        lines.append(f"{indent}{inner or choice.key}: {_value(choice.value)}")
    return "\n".join(lines) + "\n"


def _opened(before: str, now: str) -> list[tuple[int, str]]:
    """The mappings that have to be opened to come from one section to another."""
    old, new = before.split(".") if before else [], now.split(".") if now else []
    shared = 0
    while shared < min(len(old), len(new)) and old[shared] == new[shared]:
        shared += 1
    return list(enumerate(new))[shared:]


def _comment(text: str, indent: str, bullet: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{indent}# {bullet}",
        subsequent_indent=f"{indent}# {' ' * len(bullet)}",
        break_long_words=False,
        break_on_hyphens=False,
    ) or [f"{indent}#"]


def _value(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()
