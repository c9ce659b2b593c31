"""Trials as a table, and what the best of them is worth, in words."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medclassify.runs import atomic_path

_COLUMNS = ("trial", "state", "tune_auroc", "standard_error", "epochs", "seconds", "note")


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial.

    Attributes:
        trial: Its number, from 0; 0 is the config as it was given.
        state: ``complete``, ``pruned``, ``failed`` or ``interrupted``.
        tune_auroc: Macro AUROC on the tune split of the epoch that ``fit`` would keep; of a pruned trial, of its last epoch.
        standard_error: Of a complete one (Hanley & McNeil 1982).
        epochs: Epochs run.
        seconds: Wall time.
        note: Why it was not completed.
        values: Dotted key → value.
    """

    trial: int
    state: str
    tune_auroc: float | None
    standard_error: float | None
    epochs: int
    seconds: float
    note: str
    values: Mapping[str, Any]


def write_trials(path: Path, rows: Sequence[TrialRow], keys: Sequence[str]) -> None:
    """Writes ``trials.csv``, atomically: one row a trial, blank where a value did not matter."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*_COLUMNS, *keys))
        for row in rows:
            facts = [getattr(row, name) for name in _COLUMNS]
            writer.writerow(["" if fact is None else fact for fact in (*facts, *(row.values.get(key) for key in keys))])


def trial_line(row: TrialRow) -> str:
    """What the console says when a trial has ended."""
    values = "  ".join(f"{key.partition('.')[2]} {_short(value)}" for key, value in row.values.items())
    auroc = "no AUROC" if row.tune_auroc is None else f"tune AUROC {row.tune_auroc:.4f}"
    note = f" ({row.note})" if row.note else ""
    return f"trial {row.trial}: {row.state}, {auroc}, {row.epochs} epochs, {row.seconds:.0f} s{note}: {values}"


def trials_table(rows: Sequence[TrialRow], keys: Sequence[str], shown: int = 10) -> str:
    """The best complete trials, and the first, as aligned columns."""
    complete = sorted((row for row in rows if row.state == "complete"), key=lambda row: (-(row.tune_auroc or 0), row.trial))
    best = complete[:shown]
    best += [row for row in complete[shown:] if row.trial == 0]
    table = [["trial", "tune AUROC", "SE", "epochs", *(key.partition(".")[2] for key in keys)]]
    for row in best:
        figures = [str(row.trial), f"{row.tune_auroc:.4f}", f"{row.standard_error:.4f}", str(row.epochs)]
        table.append([*figures, *(_short(row.values.get(key, "-")) for key in keys)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table)


def verdict(rows: Sequence[TrialRow], best: TrialRow, corrected: float | None) -> list[str]:
    """What the best trial's figure is worth.

    Args:
        rows: All trials.
        best: The best complete one.
        corrected: ``corrected_auroc``.
    """
    complete = [row for row in rows if row.state == "complete" and row.tune_auroc is not None]
    scores = np.array([row.tune_auroc for row in complete], dtype=np.float64)
    score, error = best.tune_auroc or 0.0, best.standard_error or 0.0
    if len(complete) == 1:
        only = f"trial {best.trial} is the only complete one ({len(rows)} in all), so nothing was chosen"
        return [f"{only}: tune AUROC {score:.4f}, standard error {error:.4f}"]
    near = int((scores >= score - error).sum())
    found = (
        f"trial {best.trial} is the best of {len(complete)} complete trials ({len(rows)} in all): tune AUROC {score:.4f}, "
        f"standard error {error:.4f}; the trials lie between {scores.min():.4f} and {scores.max():.4f} (SD {scores.std():.4f})"
    )
    optimistic = "that figure is optimistic: the trial was chosen by the images that it is judged on"
    if corrected is not None:
        optimistic += f". On other patients expect about {corrected:.4f} (bootstrap bias corrected)"
    lines = [
        found,
        optimistic,
        f"{near} of {len(complete)} complete trials lie within one standard error of it, itself included",
    ]
    first = next((row for row in complete if row.trial == 0), None)
    if first is not None and first is not best and first.tune_auroc is not None and score - first.tune_auroc <= error:
        lines.append(f"the config as it was given ({first.tune_auroc:.4f}) is one of them: what was found may be luck")
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
