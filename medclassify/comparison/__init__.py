"""Two predictions tables held against each other: paired where they share samples, unpaired where they do not."""

from medclassify.comparison.compare import Comparison, compare_tables, comparison_json, left_out_lines
from medclassify.comparison.pairing import Named, Pair, pair_tables
from medclassify.comparison.report import difference_text, render_comparison
from medclassify.comparison.rows import DifferenceRow, Verdict, rows_frame
from medclassify.comparison.write import write_comparison

__all__ = [
    "Comparison",
    "DifferenceRow",
    "Named",
    "Pair",
    "Verdict",
    "compare_tables",
    "comparison_json",
    "difference_text",
    "left_out_lines",
    "pair_tables",
    "render_comparison",
    "rows_frame",
    "write_comparison",
]
