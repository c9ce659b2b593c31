"""Writes a comparison."""

from pathlib import Path

from medclassify.comparison.compare import Comparison, comparison_json
from medclassify.comparison.report import render_comparison
from medclassify.comparison.rows import rows_frame
from medclassify.runs import write_json, write_text


def write_comparison(found: Comparison, out_dir: Path) -> None:
    """Writes ``compare.csv``, ``compare.json`` and ``compare.html``, each whole or not at all, the page last.

    Raises:
        StorageError: The folder cannot be written.
    """
    page = render_comparison(found)
    write_text(out_dir / "compare.csv", rows_frame(found.rows).to_csv(index=False, lineterminator="\n"))
    write_json(out_dir / "compare.json", comparison_json(found))
    write_text(out_dir / "compare.html", page)
