"""How far the error rates of an attribute's subgroups lie apart, from replicates that are at hand."""

from collections.abc import Sequence

import numpy as np

from medclassify import metrics
from medclassify.audit.cells import ALL, Cell, FindingCells
from medclassify.audit.replicates import Replicates
from medclassify.metrics.cells import MIN_DENOMINATOR, join_notes, not_estimable, status_of, worst
from medclassify.metrics.checks import distinct
from medclassify.metrics.equalised_odds import larger_spread
from medclassify.records import Estimate, EstimateRow, Status

METRIC = "equalised_odds_difference"


def equalised_odds_rows(cells: Sequence[FindingCells], replicates: Replicates) -> list[EstimateRow]:
    """One row a finding and attribute; see `metrics.equalised_odds_difference`."""
    rows = []
    for each in cells:
        whole = each.whole.decided()
        for attribute, groups in each.groups.items():
            if whole.n:
                found = _estimate(list(groups.values()), replicates)
                rows.append(
                    EstimateRow(
                        whole.finding, attribute, ALL, METRIC, whole.n, whole.n_patients, whole.n_pos, whole.n_neg, found
                    )
                )
    return rows


def _estimate(groups: Sequence[Cell], replicates: Replicates) -> Estimate:
    statuses, left_out, values, drawn = [], [], [], []
    for cell in groups:
        decided = cell.decided()
        units = [distinct(decided.patients[rows]) if rows.any() else 0 for rows in (decided.positive, ~decided.positive)]
        status = status_of(min(units), MIN_DENOMINATOR)
        if status is Status.NOT_ESTIMABLE:
            left_out.append(cell.subgroup)
            continue
        statuses.append(status)
        called = decided.decision == 1
        values += [called[decided.positive].mean(), called[~decided.positive].mean()]
        sensitivity, specificity = replicates.of(cell, "sensitivity"), replicates.of(cell, "specificity")
        assert sensitivity is not None
        assert specificity is not None
        drawn += [sensitivity, 1 - specificity]
    note = f"left out, too small: {', '.join(left_out)}" if left_out else ""
    if len(statuses) < 2:
        return not_estimable(join_notes("fewer than two groups are large enough", note))
    found = metrics.percentiles(larger_spread(np.stack(drawn)))
    value = float(larger_spread(np.array(values)[:, None])[0])
    return Estimate(value, found.low, found.high, found.method, worst(*statuses), join_notes(note, found.note))
