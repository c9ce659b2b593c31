"""Compares two runs, two folders that ``evaluate`` wrote, or two predictions tables."""

from collections.abc import Sequence
from pathlib import Path

from medclassify.audit.reading import read_table
from medclassify.audit.words import p_value
from medclassify.comparison import Comparison, Named, compare_tables, difference_text, left_out_lines, pair_tables
from medclassify.comparison.write import write_comparison
from medclassify.errors import ConfigError
from medclassify.runs import RunLayout
from medclassify.workflows.checks import require_new_folder
from medclassify.workflows.console import say


def compare(
    first: Path, second: Path, attributes: Sequence[str], out: Path | None, *, margin: float = 0.05
) -> tuple[Comparison, Path]:
    """Compares and writes the comparison.

    Args:
        first: What stands: a run, a folder with ``predictions.parquet``, or a predictions table.
        second: What is held against it.
        attributes: Columns to compare by.
        out: A new or empty folder; ``FIRST-vs-SECOND`` beside the first when left out.
        margin: The equivalence margin.

    Returns:
        The comparison, and the folder.

    Raises:
        ConfigError: The margin is not above 0.
        RunError: A run is not finished, or the folder is not empty.
        MedclassifyError: A table is not usable, or the two do not fit each other.
    """
    if not 0 < margin < 1:
        raise ConfigError(f"--margin must lie between 0 and 1, received {margin:g}.")
    names = _names(first, second)
    out = out or first.parent / "-vs-".join(_stem(path) for path in (first, second))
    require_new_folder(out)
    one, two = (Named(name, read_table(_predictions(path))) for name, path in zip(names, (first, second), strict=True))
    pair = pair_tables(one, two, attributes)
    found = compare_tables(pair, margin=margin)
    write_comparison(found, out)
    return found, out


def tell(found: Comparison) -> None:
    """What a reader of the console must know, and the differences, one line each."""
    say(found.samples_line)
    for line in [*left_out_lines(found.pair), *found.pair.notes]:
        say(f"note: {line}")
    say(f"every difference is second minus first: {found.pair.names[1]} minus {found.pair.names[0]}")
    say(comparison_table(found))
    for shift in found.shifts:
        scores = shift.scores
        said = "beyond chance" if scores.beyond_chance else "within chance"
        say(
            f"{shift.finding}: scores {said} (PSI {scores.psi:.3f}, chance reaches {scores.psi_limit:.3f}; "
            f"KS {scores.ks:.3f}, chance reaches {scores.ks_limit:.3f})"
        )


def comparison_table(found: Comparison) -> str:
    """One line a finding and metric, over the whole table; subgroups stand in the files."""
    lines = [["finding", "metric", "first", "second", "difference (95% CI)", "p Holm", "verdict"]]
    for row in found.rows:
        if row.attribute != "all":
            continue
        values = ["–" if value is None else f"{value:.3f}" for value in (row.a, row.b)]
        verdict = f"{row.verdict} ({row.note})" if row.verdict and row.note and row.difference is not None else row.verdict
        lines.append([row.finding, row.metric, *values, difference_text(row), p_value(row.p_adjusted), verdict or "–"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _predictions(path: Path) -> Path:
    if not path.is_dir():
        return path
    inside = path / "predictions.parquet"
    if not (path / "config.yaml").exists() and inside.is_file():
        return inside
    return RunLayout.open(path).predictions


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Short names that differ: reports hold no folders, which may be a patient's."""
    names = first.resolve().name, second.resolve().name
    return names if names[0] != names[1] else (f"{names[0]} (first)", f"{names[1]} (second)")


def _stem(path: Path) -> str:
    return path.resolve().name if path.is_dir() else Path(path.name.removesuffix(".gz")).stem
