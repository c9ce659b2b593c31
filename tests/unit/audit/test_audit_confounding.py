"""The alarm for an attribute that gives the finding away."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from medclassify.audit import audit_table
from medclassify.audit.cells import finding_cells
from medclassify.audit.confounding import Confounding, confounding_rows, prevalence_p
from medclassify.records import Status


def rows_of(frame: pd.DataFrame, attributes: list[str]):
    found = confounding_rows(audit_table(frame, attributes), bootstrap=200, seed=0)
    return {(row.finding, row.attribute): row for row in found}


def test_a_planted_shortcut_rings_and_its_neighbours_do_not(make_predictions) -> None:
    rows = rows_of(make_predictions(800, goes_with_view=True), ["view", "sex"])
    assert {key for key, row in rows.items() if row.alarm} == {("Effusion", "view")}
    assert rows["Effusion", "view"].line.startswith("Effusion goes with view (AP")


def test_nothing_rings_without_one(make_predictions) -> None:
    assert not any(row.alarm for row in rows_of(make_predictions(800), ["view", "sex"]).values())


def test_the_model_falls_within_levels_by_what_the_shortcut_gave(make_predictions) -> None:
    row = rows_of(make_predictions(4000, goes_with_view=True), ["view"])["Effusion", "view"]
    assert row.drop is not None
    assert row.alone.value is not None
    assert row.drop > 0.02
    assert row.alone.value > 0.7
    honest = rows_of(make_predictions(4000), ["view"])["Effusion", "view"]
    assert honest.drop is not None
    assert abs(honest.drop) < 0.01


def test_a_model_that_sees_the_view_alone_has_nothing_within_levels(make_predictions) -> None:
    predictions = make_predictions(800, goes_with_view=True)
    predictions["prob_cal"] = np.where(predictions["view"] == "AP", 0.8, 0.1)
    row = rows_of(predictions, ["view"])["Effusion", "view"]
    assert row.model.value == pytest.approx(row.alone.value)
    assert row.within.value == 0.5


def test_within_levels_is_the_share_of_ordered_pairs_of_one_level(make_predictions) -> None:
    predictions = make_predictions(120, findings=("Effusion",))
    row = rows_of(predictions, ["view"])["Effusion", "view"]
    won = total = 0.0
    for _, level in predictions.groupby("view"):
        present = level["target"].to_numpy(dtype=int) == 1
        score = level["prob_cal"].to_numpy()
        difference = score[present][:, None] - score[~present][None, :]
        won += (difference > 0).sum() + 0.5 * (difference == 0).sum()
        total += difference.size
    assert row.within.value == pytest.approx(won / total, abs=1e-12)
    assert row.within.ci_low is not None
    assert row.within.ci_low < won / total


def test_the_test_of_prevalence_is_pearsons_when_patients_do_not_repeat(make_predictions) -> None:
    cells = next(iter(finding_cells(audit_table(make_predictions(300), ["view"]))))
    levels = list(cells.groups["view"].values())
    table = [[cell.n_pos for cell in levels], [cell.n_neg for cell in levels]]
    assert prevalence_p(levels) == pytest.approx(chi2_contingency(table, correction=False).pvalue)


def test_copies_of_a_patient_are_not_evidence(make_predictions) -> None:
    once = make_predictions(300, findings=("Effusion",), seed=3)
    copies = pd.concat([once.assign(sample_id=once["sample_id"] + str(copy)) for copy in range(6)], ignore_index=True)
    p = [prevalence_p(list(next(iter(finding_cells(audit_table(t, ["sex"])))).groups["sex"].values())) for t in (once, copies)]
    assert p[1] == pytest.approx(p[0], rel=1e-6)


def test_too_few_positives_ring_nothing(make_predictions) -> None:
    predictions = make_predictions(200, findings=("Effusion",))
    positives = predictions.index[predictions["target"] == 1]
    predictions.loc[positives[4:], "target"] = 0
    row = rows_of(predictions, ["view"])["Effusion", "view"]
    assert row.p is None
    assert not row.alarm
    assert row.within.status is Status.NOT_ESTIMABLE


def test_size_rings_and_p_only_says_whether_the_sample_shows_it(make_predictions) -> None:
    """30 % against 63 % rings whatever its p; 30 % against 33 % never does."""

    def planted(n: int, high: float) -> Confounding:
        predictions = make_predictions(n, findings=("Effusion",))
        for view, share in (("AP", high), ("PA", 0.3)):
            rows = predictions.index[predictions["view"] == view]
            predictions.loc[rows, "target"] = (np.arange(len(rows)) < share * len(rows)).astype(int)
        return rows_of(predictions, ["view"])["Effusion", "view"]

    large, small, many = planted(200, 0.63), planted(30, 0.63), planted(20_000, 0.33)
    assert (large.alarm, large.shown) == (True, True)
    assert large.p is not None
    assert (small.alarm, small.shown) == (True, False)
    assert (many.alarm, many.shown) == (False, True)


def test_a_level_without_the_finding_is_no_division_by_zero(make_predictions) -> None:
    predictions = make_predictions(400, findings=("Effusion",))
    predictions.loc[predictions["view"] == "PA", "target"] = 0
    row = rows_of(predictions, ["view"])["Effusion", "view"]
    assert row.ratio == float("inf")
    assert row.alarm
