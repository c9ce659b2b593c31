"""Prints measures as a table, and writes them in the form that scripts rely on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import Measure
from medclassify.runs import write_json

FOLDER = Path(__file__).parent / "results"


def table(measures: Sequence[Measure]) -> str:
    """One line a measure: key, min, median, max over the rounds, goal, and whether it is reached."""
    head = ("key", "min", "median", "max", "goal", "reached")
    lines: list[Sequence[str]] = [head]
    for measure in measures:
        sign = {"higher": "≥", "lower": "≤"}[measure.better]
        goal, reached = ("–", "–") if measure.goal is None else (f"{sign} {measure.goal:g}", "yes" if measure.reached else "NO")
        lines.append((measure.key, *(f"{value:.3g}" for value in (measure.low, measure.value, measure.high)), goal, reached))
    return aligned(lines)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of a table, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def as_record(
    name: str, measures: Sequence[Measure], machine: dict[str, Any], versions: dict[str, str], commit: str
) -> dict[str, Any]:
    """The contract's form: name, machine, versions, commit, measures with key, value, goal, better and note."""
    return {
        "name": name,
        "machine": machine,
        "versions": versions,
        "commit": commit,
        "measures": [
            {
                "key": measure.key,
                "value": float(f"{measure.value:.4g}"),
                "goal": measure.goal,
                "better": measure.better,
                "note": f"{measure.note}; min {measure.low:.4g}, max {measure.high:.4g}",
            }
            for measure in measures
        ],
    }


def write(record: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Writes ``NAME.json``, whole or not at all."""
    target = folder / f"{record['name']}.json"
    write_json(target, record)
    return target
