"""Estimates by subgroup, against independent implementations."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medclassify.audit import estimate_table
from medclassify.audit.estimates import estimates_frame
from medclassify.records import Status

CONTRACT = [
    "finding", "attribute", "subgroup", "metric", "n", "n_patients", "n_pos", "n_neg", "estimate", "ci_low", "ci_high",
    "ci_method", "status",
]  # fmt: skip
METRICS = {
    "auroc", "auprc", "sensitivity", "specificity", "ppv", "npv", "fnr", "fpr", "brier", "ece", "calibration_intercept",
    "calibration_slope", "oe_ratio",
}  # fmt: skip
CROSSED = {"bpsn_auroc", "bnsp_auroc"}
"""Of subgroups alone."""


def test_the_table_has_the_contracts_columns_and_metrics(make_predictions) -> None:
    frame = estimates_frame(estimate_table(make_predictions(300), attributes=["sex"], bootstrap=100))
    assert list(frame.columns) == CONTRACT
    assert set(frame["metric"]) == METRICS | CROSSED
    assert set(frame["subgroup"]) == {"all", "F", "M"}
    assert len(frame) == 2 * (3 * len(METRICS) + 2 * len(CROSSED))


def test_subgroup_estimates_are_those_of_its_rows_alone(make_predictions) -> None:
    predictions = make_predictions(400)
    rows = {
        (row.finding, row.attribute, row.subgroup, row.metric): row
        for row in estimate_table(predictions, attributes=["sex"], bootstrap=100)
    }
    part = predictions[(predictions["finding"] == "Nodule") & (predictions["sex"] == "F")]
    target, score = part["target"].to_numpy(dtype=int), part["prob_cal"].to_numpy()
    called = part["decision"].to_numpy(dtype=bool)
    key = ("Nodule", "sex", "F")
    assert rows[*key, "auroc"].estimate.value == pytest.approx(roc_auc_score(target, score), abs=1e-12)
    assert rows[*key, "auprc"].estimate.value == pytest.approx(average_precision_score(target, score), abs=1e-12)
    assert rows[*key, "sensitivity"].estimate.value == pytest.approx(called[target == 1].mean())
    assert rows[*key, "fpr"].estimate.value == pytest.approx(called[target == 0].mean())
    assert rows[*key, "ppv"].estimate.value == pytest.approx(target[called].mean())
    assert rows[*key, "brier"].estimate.value == pytest.approx(np.mean((score - target) ** 2))
    assert (rows[*key, "auroc"].n, rows[*key, "auroc"].n_pos) == (len(part), target.sum())


def test_masked_labels_leave_a_finding_alone(make_predictions) -> None:
    predictions = make_predictions(200)
    predictions.loc[predictions.index[:50], "target"] = -1  # rows of Effusion
    rows = {row.finding: row for row in estimate_table(predictions, bootstrap=100) if row.metric == "auroc"}
    assert rows["Effusion"].n == 150
    assert rows["Nodule"].n == 200


def test_a_group_of_one_class_has_rows_and_no_numbers(make_predictions) -> None:
    predictions = make_predictions(200)
    predictions.loc[predictions["sex"] == "F", "target"] = 0
    rows = [row for row in estimate_table(predictions, attributes=["sex"], bootstrap=100) if row.subgroup == "F"]
    auroc = next(row for row in rows if row.metric == "auroc")
    assert auroc.estimate.status is Status.NOT_ESTIMABLE
    assert auroc.estimate.value is None
    assert "n_pos=0" in auroc.estimate.note
    assert next(row for row in rows if row.metric == "specificity").estimate.value is not None


def test_a_group_without_labels_has_rows_too(make_predictions) -> None:
    predictions = make_predictions(200)
    predictions.loc[predictions["sex"] == "F", "target"] = -1
    rows = [row for row in estimate_table(predictions, attributes=["sex"], bootstrap=100) if row.subgroup == "F"]
    assert {row.metric for row in rows} == METRICS | CROSSED
    assert all(row.estimate.status is Status.NOT_ESTIMABLE and row.n == 0 for row in rows)


def test_patients_not_rows_are_counted_and_widen_intervals(make_predictions) -> None:
    once = make_predictions(300)
    again = once.assign(sample_id=once["sample_id"] + "b")
    twice = pd.concat([once, again], ignore_index=True)
    alone, doubled = (
        next(row for row in estimate_table(table, bootstrap=100) if row.metric == "auroc") for table in (once, twice)
    )
    assert doubled.n == 2 * doubled.n_patients
    assert doubled.estimate.ci_method == "logit-Obuchowski shrunk"
    # Every image twice tells nothing new: the interval must not shrink.
    width = [row.estimate.ci_high - row.estimate.ci_low for row in (alone, doubled)]
    assert width[1] == pytest.approx(width[0], rel=0.02)


def test_scores_that_are_no_probabilities_have_no_calibration(make_predictions) -> None:
    predictions = make_predictions(200).drop(columns=["prob_cal", "threshold", "decision"]).rename(columns={"logit": "score"})
    assert {row.metric for row in estimate_table(predictions, bootstrap=100)} == {"auroc", "auprc"}


def test_the_same_seed_gives_the_same_table(make_predictions) -> None:
    predictions = make_predictions(200, images=2)
    first, second, other = (estimate_table(predictions, attributes=["sex"], bootstrap=200, seed=seed) for seed in (3, 3, 4))
    assert first == second
    assert first != other


def test_row_order_does_not_matter(make_predictions) -> None:
    predictions = make_predictions(200, images=2)
    shuffled = predictions.sample(frac=1, random_state=5)
    # order of findings and bootstrap draws follow the rows; the closed forms must not
    closed = {"auroc", "sensitivity", "brier", "calibration_intercept"}
    first, second = (
        {
            (row.finding, row.subgroup, row.metric): row.estimate.value
            for row in estimate_table(table, attributes=["sex"], bootstrap=100)
            if row.metric in closed
        }
        for table in (predictions, shuffled)
    )
    assert first == pytest.approx(second)
