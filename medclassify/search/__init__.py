"""Search over a config's values: a typed space, trials that survive a kill, and what the best of them is worth."""

from medclassify.search.optimism import corrected_auroc
from medclassify.search.space import (
    Dimension,
    Options,
    Range,
    default_space,
    including,
    parse_space,
    read_space,
    value_of,
    with_values,
)
from medclassify.search.study import Search, require_optuna
from medclassify.search.table import TrialRow, trial_line, trials_table, verdict, write_trials

__all__ = [
    "Dimension",
    "Options",
    "Range",
    "Search",
    "TrialRow",
    "corrected_auroc",
    "default_space",
    "including",
    "parse_space",
    "read_space",
    "require_optuna",
    "trial_line",
    "trials_table",
    "value_of",
    "verdict",
    "with_values",
    "write_trials",
]
