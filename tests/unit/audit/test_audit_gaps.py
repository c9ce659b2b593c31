"""Gaps: planted faults are found, their absence is not called a pass without evidence."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from medclassify.audit import GapVerdict, audit_table, gap_table
from medclassify.audit.gap_row import verdict_of
from medclassify.audit.gaps import gap_rows
from medclassify.audit.replicates import Replicates
from medclassify.errors import ManifestError
from medclassify.records import Status

CONTRACT = [
    "finding", "attribute", "subgroup", "reference", "metric", "gap", "ci_low", "ci_high", "p", "p_adjusted", "method",
    "margin", "verdict", "sim_low", "sim_high", "p_max_t", "q",
]  # fmt: skip


def rows_of(frame: pd.DataFrame, attributes: list[str], **options):
    return gap_rows(audit_table(frame, attributes), **({"margin": 0.05, "bootstrap": 200, "seed": 0} | options))


@pytest.mark.parametrize(
    ("low", "high", "status", "verdict"),
    [
        (-0.05, 0.05, Status.OK, "PASS"),
        (-0.051, 0.01, Status.OK, "INSUFFICIENT"),
        (0.01, 0.09, Status.OK, "INSUFFICIENT"),  # differs from 0, but perhaps by less than the margin
        (0.051, 0.09, Status.OK, "FAIL"),
        (-0.2, -0.051, Status.OK, "FAIL"),
        (-0.2, 0.2, Status.OK, "INSUFFICIENT"),
        (-0.5, -0.3, Status.UNSTABLE, "INSUFFICIENT"),
        (-0.01, 0.01, Status.UNSTABLE, "INSUFFICIENT"),
    ],
)
def test_verdicts_follow_the_interval_and_the_margin(low: float, high: float, status: Status, verdict: str) -> None:
    assert verdict_of(low, high, 0.05, status) == verdict


def test_the_table_has_the_contracts_columns(make_predictions) -> None:
    frame = gap_table(make_predictions(200), attributes=["sex"], bootstrap=100)
    assert list(frame.columns) == CONTRACT
    assert set(frame["metric"]) == {"auroc", "sensitivity", "specificity"}
    assert set(frame["verdict"]) <= {"PASS", "FAIL", "INSUFFICIENT"}


def test_a_planted_fault_fails_and_its_neighbour_does_not(make_predictions) -> None:
    found = {(row.finding, row.metric): row for row in rows_of(make_predictions(1500, weaker_in="F"), ["sex"])}
    faulty = found["Effusion", "auroc"]
    assert faulty.verdict is GapVerdict.FAIL
    assert faulty.holds
    assert faulty.gap is not None
    assert abs(faulty.gap) > 0.2
    assert found["Nodule", "auroc"].verdict is not GapVerdict.FAIL


def test_the_sign_is_subgroup_minus_reference_and_the_reference_is_the_largest(make_predictions) -> None:
    predictions = make_predictions(1500, weaker_in="F")
    few = predictions["sample_id"].isin(predictions.loc[predictions["sex"] == "F", "sample_id"].unique()[::2])
    rows = rows_of(predictions[~few], ["sex"])
    assert {(row.subgroup, row.reference) for row in rows} == {("F", "M")}
    gap = next(row for row in rows if row.finding == "Effusion" and row.metric == "auroc").gap
    assert gap is not None
    assert gap < -0.2


def test_identical_groups_pass_only_when_the_sample_is_large(make_predictions) -> None:
    small, large = (rows_of(make_predictions(n, prevalence=0.5), ["sex"], margin=0.05) for n in (120, 12000))
    assert {row.verdict for row in small} == {GapVerdict.INSUFFICIENT}
    assert {row.verdict for row in large} == {GapVerdict.PASS}


def test_insufficient_says_what_it_could_have_seen(make_predictions) -> None:
    row = next(row for row in rows_of(make_predictions(300), ["sex"]) if row.metric == "sensitivity")
    assert row.verdict is GapVerdict.INSUFFICIENT
    assert row.detectable is not None
    assert row.ci_low is not None
    assert row.ci_high is not None
    # (1.96 + 0.84) standard errors: 80 % power, two-sided 5 %.
    assert row.detectable == pytest.approx((1.959964 + 0.841621) * (row.ci_high - row.ci_low) / (2 * 1.959964))
    assert f"smallest detectable gap {row.detectable:.3f}" in row.note


def test_the_smallest_detectable_gap_is_detected_four_times_in_five(make_predictions) -> None:
    seen = []
    random = np.random.default_rng(0)
    n, base = 400, 0.7
    gap = (1.959964 + 0.841621) * np.sqrt(base * (1 - base) / n + 0.55 * 0.45 / n)
    for _ in range(120):
        called = np.concatenate([random.random(n) < base, random.random(n) < base - gap])
        frame = pd.DataFrame(
            {
                "target": [1] * (2 * n) + [0] * 40,
                "probability": np.concatenate([called * 0.8 + 0.1, np.full(40, 0.1)]),
                "decision": np.concatenate([called, np.zeros(40, bool)]),
                "group": ["a"] * n + ["b"] * n + ["a", "b"] * 20,
            }
        )
        rows = rows_of(frame, ["group"], replicates=Replicates({}, {}))
        row = next(row for row in rows if row.metric == "sensitivity")
        assert row.ci_low is not None
        assert row.ci_high is not None
        seen.append(row.ci_low > 0 or row.ci_high < 0)
    assert 0.68 < np.mean(seen) < 0.92  # three standard errors about .80


def test_small_cells_get_no_verdict_and_say_why(make_predictions) -> None:
    predictions = make_predictions(600, weaker_in="F", prevalence=0.5)
    keep = predictions.loc[(predictions["sex"] == "F") & (predictions["finding"] == "Effusion"), "sample_id"]
    tiny, unstable = keep.iloc[:6], keep.iloc[:30]
    for samples, status, words in ((tiny, Status.NOT_ESTIMABLE, "F"), (unstable, Status.UNSTABLE, "too few for a verdict")):
        part = predictions[(predictions["sex"] == "M") | predictions["sample_id"].isin(samples)]
        row = next(row for row in rows_of(part, ["sex"]) if row.finding == "Effusion" and row.metric == "auroc")
        assert row.status is status
        assert row.verdict is GapVerdict.INSUFFICIENT
        assert words in row.note


def test_a_group_without_labels_is_listed(make_predictions) -> None:
    predictions = make_predictions(300)
    predictions.loc[(predictions["sex"] == "F") & (predictions["finding"] == "Nodule"), "target"] = -1
    rows = [row for row in rows_of(predictions, ["sex"]) if row.finding == "Nodule"]
    assert len(rows) == 3
    assert all(row.gap is None and "no labelled sample" in row.note for row in rows)


def test_shared_patients_are_resampled_and_others_are_not(make_predictions) -> None:
    predictions = make_predictions(400, images=2)
    methods = {row.attribute: row.method for row in rows_of(predictions, ["sex", "view"]) if row.metric == "auroc"}
    assert methods["sex"] == "Obuchowski unpaired"
    assert "bootstrap" in methods["view"]
    once = {row.method for row in rows_of(make_predictions(400), ["view"]) if row.metric == "auroc"}
    assert once == {"DeLong unpaired"}


def test_holm_is_that_of_statsmodels_within_each_metric(make_predictions) -> None:
    rows = rows_of(make_predictions(500, weaker_in="F"), ["sex", "view"])
    for metric in ("auroc", "sensitivity", "specificity"):
        family = [row for row in rows if row.metric == metric]
        expected = multipletests([row.p for row in family], method="holm")[1]
        assert [row.p_adjusted for row in family] == pytest.approx(list(expected))


def test_a_bootstrap_p_can_survive_the_adjustment(make_predictions) -> None:
    predictions = make_predictions(3000, images=2)
    effusion = predictions["finding"] == "Effusion"
    noise = np.random.default_rng(0).random(len(predictions))
    worse = effusion & (predictions["view"] == "AP")
    predictions.loc[worse, "prob_cal"] = noise[worse]
    row = next(row for row in rows_of(predictions, ["view"]) if row.finding == "Effusion" and row.metric == "auroc")
    assert "bootstrap" in row.method
    assert row.p is not None
    assert row.p < 1e-6  # 2/(B+1) would be .01


def test_three_levels_are_compared_with_all_others_too(make_predictions) -> None:
    predictions = make_predictions(600)
    predictions["site"] = predictions["sample_id"].str[-1].map(lambda digit: "abc"[int(digit) % 3])
    rows = rows_of(predictions, ["site", "sex"])
    assert {row.subgroup for row in rows if row.reference == "all others"} == {"a", "b", "c"}
    assert {row.reference for row in rows if row.attribute == "sex"} == {"M"} or {
        row.reference for row in rows if row.attribute == "sex"
    } == {"F"}


def test_missing_is_compared_and_never_the_reference(make_predictions) -> None:
    predictions = make_predictions(900)
    predictions.loc[predictions["sample_id"] >= "s00200", "sex"] = None
    rows = rows_of(predictions, ["sex"])
    assert "missing" in {row.subgroup for row in rows}
    assert "missing" not in {row.reference for row in rows}


def test_a_declared_reference_is_used_or_refused(make_predictions) -> None:
    predictions = make_predictions(300)
    for level in ("F", "M"):
        assert {row.reference for row in rows_of(predictions, ["sex"], references={"sex": level})} == {level}
    with pytest.raises(ManifestError, match="reference sex=X is no subgroup of the table; sex has: F, M"):
        rows_of(predictions, ["sex"], references={"sex": "X"})


def test_without_thresholds_only_ranking_is_compared(make_predictions) -> None:
    predictions = make_predictions(200).drop(columns=["threshold", "decision"])
    assert {row.metric for row in rows_of(predictions, ["sex"])} == {"auroc"}
