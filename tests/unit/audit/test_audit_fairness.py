"""What the audit tells beyond single gaps: crossed groups, intervals that hold together, standardised figures, worst groups."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medclassify import metrics
from medclassify.audit import audit_table, compute_audit
from medclassify.audit.cells import finding_cells
from medclassify.audit.replicates import replicate_table, standardised_auroc
from medclassify.errors import ManifestError
from medclassify.records import Status


def aged(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same with an age for each patient."""
    patients = predictions["patient_id"].unique()
    ages = dict(zip(patients, np.random.default_rng(seed).choice([25, 50, 70], patients.size), strict=True))
    return predictions.assign(age=predictions["patient_id"].map(ages))


@pytest.fixture(scope="module")
def result(make_predictions):
    predictions = aged(make_predictions(1500, weaker_in="F", images=2))
    predictions["finding"] = predictions["finding"].replace({"Nodule": "No Finding"})
    return compute_audit(predictions, attributes=["sex", "view", "age"], intersections=[["sex", "age"]], bootstrap=200)


def test_crossed_groups_are_subgroups_like_others(result):
    assert result.table.intersections == {"sex*age": ("sex", "age")}
    assert result.table.levels["sex*age"][:2] == ("F, 18-39", "F, 40-59")
    whole, parts = result.estimate("Effusion", "auroc"), [row for row in result.estimates if row.attribute == "sex*age"]
    assert sum(row.n for row in parts if row.finding == "Effusion" and row.metric == "auroc") == whole.n
    assert {row.attribute for row in result.gaps} == {"sex", "view", "age", "sex*age"}
    assert "sex*age" not in {row.attribute for row in result.confounding}


def test_a_missing_part_makes_no_reference(make_predictions):
    predictions = make_predictions(900)
    predictions.loc[predictions["sample_id"] >= "s00200", "sex"] = None
    result = compute_audit(predictions, attributes=["sex", "view"], intersections=[["sex", "view"]], bootstrap=100)
    assert "missing, AP" in result.table.levels["sex*view"]
    assert not any("missing" in row.reference for row in result.gaps if row.reference != "all others")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (["sex"], "must name two or more attributes"),
        (["sex", "sex"], "must name two or more attributes"),
        (["sex", "race"], "crosses 'race', which is not among the attributes"),
    ],
)
def test_what_cannot_be_crossed_is_refused(make_predictions, pair, message):
    with pytest.raises(ManifestError, match=message):
        audit_table(make_predictions(60), ["sex", "view"], intersections=[pair])


def test_simultaneous_intervals_hold_the_gap_and_are_wider(result):
    told = [row for row in result.gaps if row.sim_low is not None]
    assert told
    assert all(row.sim_low < row.gap < row.sim_high for row in told)
    assert np.mean([(row.sim_high - row.sim_low) > (row.ci_high - row.ci_low) for row in told]) > 0.9
    assert all(row.status is Status.OK and row.reference != "all others" for row in told)
    faulty = next(row for row in told if (row.finding, row.attribute, row.metric) == ("Effusion", "sex", "auroc"))
    assert faulty.sim_high < 0
    assert faulty.p_max_t < 0.01
    assert faulty.q <= faulty.p_adjusted


def test_only_stable_comparisons_are_simultaneous(make_predictions):
    predictions = make_predictions(600)
    few = predictions["sample_id"] >= "s00560"
    result = compute_audit(predictions.assign(site=np.where(few, "small", "large")), attributes=["site"], bootstrap=100)
    assert {row.status for row in result.gaps} != {Status.OK}
    assert all(row.sim_low is None for row in result.gaps if row.status is not Status.OK)


def test_a_difference_of_mix_goes_away_when_it_is_standardised(make_predictions):
    """The finding is hard to see in AP images alone, and one site takes nearly all of those."""
    predictions = make_predictions(4000, findings=("Effusion",), prevalence=0.5)
    generator = np.random.default_rng(1)
    apart = predictions["view"] == "AP"
    predictions["site"] = np.where(generator.random(4000) < np.where(apart, 0.85, 0.15), "B", "A")
    noise = generator.random(4000)
    predictions["prob_cal"] = np.where(apart, 0.7 * noise + 0.3 * predictions["prob_cal"], predictions["prob_cal"])
    result = compute_audit(predictions, attributes=["site", "view"], bootstrap=300)
    crude = next(row for row in result.gaps if (row.attribute, row.metric) == ("site", "auroc"))
    held = next(row for row in result.standardised_gaps if (row.attribute, row.metric) == ("site", "auroc"))
    assert abs(crude.gap) > 0.08
    assert held.ci_low < 0 < held.ci_high
    row = next(row for row in result.standardised if (row.attribute, row.subgroup, row.metric) == ("site", "B", "auroc"))
    n_pos = result.estimate("Effusion", "auroc", "site", "B").n_pos
    assert row.by == ("view",)
    assert row.n_eff_pos < 0.7 * n_pos
    assert row.covered == 1.0
    assert not any(row.attribute == "view" for row in result.standardised)  # nothing is left to hold equal


def test_the_standardised_auroc_is_scikit_learns_with_the_same_weights(make_predictions):
    predictions = aged(make_predictions(300, findings=("Effusion",), images=2))
    predictions["prob_cal"] = predictions["prob_cal"].round(1)  # ties
    table = audit_table(predictions, ["sex", "age", "view"])
    (each,) = finding_cells(table)
    drawn = replicate_table(table, [each], standardise=("age", "view"), bootstrap=100, seed=3)
    mix, cell, rows = drawn.mixes["Effusion", "sex"], each.groups["sex"]["F"], each.members["sex"] == 0
    statistic = standardised_auroc(cell, mix, rows)
    counts = next(metrics.draw_patients(each.n_patients, resamples=100, seed=3))
    for resample in range(5):
        times = counts[resample][cell.patients]
        weights = np.zeros(cell.n)
        for side, one in enumerate((cell.positive, ~cell.positive)):
            for stratum in range(mix.share.shape[1]):
                here = one & (mix.stratum[rows] == stratum)
                total = times[here].sum()
                weights[here] = times[here] * mix.share[side, stratum] / total if total else 0
        expected = roc_auc_score(cell.positive, cell.score, sample_weight=weights)
        assert statistic(counts)[resample] == pytest.approx(expected, abs=1e-12)
        assert drawn.of(cell, "auroc_standardised")[resample] == pytest.approx(expected, abs=1e-12)


def test_a_subgroup_without_most_of_the_mix_is_not_standardised(make_predictions):
    predictions = make_predictions(900)
    predictions["site"] = np.where(predictions["view"] == "AP", "B", "A")
    predictions.loc[predictions["sample_id"] < "s00030", "site"] = "B"
    result = compute_audit(predictions, attributes=["site", "view"], bootstrap=100)
    row = next(row for row in result.standardised if row.attribute == "site" and row.subgroup == "A")
    assert row.standardised.status is Status.NOT_ESTIMABLE
    assert "of the reference mix only" in row.standardised.note
    gap = next(row for row in result.standardised_gaps if row.attribute == "site")
    assert gap.gap is None
    assert "of the reference mix only" in gap.note


def test_replicated_rates_are_those_of_the_metrics(result):
    row = next(row for row in result.equalised_odds if (row.finding, row.attribute) == ("Effusion", "sex"))
    cells = next(each for each in finding_cells(result.table) if each.whole.finding == "Effusion")
    expected = metrics.equalised_odds_difference(
        cells.whole.positive, cells.whole.decision == 1, cells.members["sex"], patients=cells.whole.patients, resamples=200
    )
    assert row.estimate.value == pytest.approx(expected.value)
    assert (row.estimate.ci_low, row.estimate.ci_high) == pytest.approx((expected.ci_low, expected.ci_high))


def test_the_worst_group_stands_beside_identical_ones(result):
    rows = {(row.finding, row.attribute, row.metric): row for row in result.worst_groups}
    planted, other = rows["Effusion", "sex", "auroc"], rows["No Finding", "sex", "auroc"]
    assert (planted.worst, planted.best) == ("F", "M")
    assert planted.gap > planted.null_high > planted.null_mean > 0
    assert planted.p < 0.01
    assert other.gap < 2 * other.null_high


def test_the_null_of_identical_groups_is_as_large_as_simulated(make_predictions):
    """Groups of 200 of one AUROC: .046 on average between the best and the worst of 2, .077 of 4 (methods of this audit)."""
    means = []
    for seed in range(2):
        predictions = make_predictions(800, findings=("Effusion",), seed=seed, separation=1.8)
        predictions["site"] = np.random.default_rng(seed).permutation(np.arange(800) % 4).astype(str)
        result = compute_audit(predictions, attributes=["site"], bootstrap=200)
        means.append(next(row.null_mean for row in result.worst_groups if row.metric == "auroc"))
    assert 0.04 < np.mean(means) < 0.08


def test_fewer_than_two_stable_groups_have_no_worst(make_predictions):
    predictions = make_predictions(60)
    result = compute_audit(predictions.assign(site="only"), attributes=["site"], bootstrap=100)
    assert {row.worst for row in result.worst_groups} == {None}
    assert {row.note for row in result.worst_groups} == {"fewer than two subgroups are large enough"}


def test_underdiagnosis_is_false_no_finding_and_missed_findings(result):
    assert result.no_finding == "No Finding"
    first = result.underdiagnosis[0]
    assert (first.finding, first.metric) == ("No Finding", "fpr")
    missed = next(row for row in result.underdiagnosis if (row.finding, row.subgroup) == ("Effusion", "F"))
    assert missed.metric == "fnr"
    assert missed.reference == "M"
    assert missed.gap.value > 0.3
    assert missed.gap.ci_low < missed.gap.value < missed.gap.ci_high
    assert missed.estimate == result.estimate("Effusion", "fnr", "sex", "F").estimate


@pytest.mark.parametrize("spelling", ["No Finding", "no_finding", "normal", "NO FINDINGS"])
def test_no_finding_is_known_by_its_spellings(make_predictions, spelling):
    predictions = make_predictions(80).replace({"finding": {"Nodule": spelling}})
    assert compute_audit(predictions, attributes=["sex"], bootstrap=100).no_finding == spelling
    assert compute_audit(make_predictions(80), attributes=["sex"], bootstrap=100).no_finding is None


def test_crossed_aurocs_say_who_is_scored_too_low(result):
    low, high = (result.estimate("Effusion", name, "sex", "F").estimate for name in ("bnsp_auroc", "bpsn_auroc"))
    assert low.ci_high < high.ci_low  # women's effusions are scored below men's negatives


def test_decision_curves_need_probabilities(result, make_predictions):
    curve = result.decision_curves["Effusion"]
    assert curve.threshold[[0, -1]] == pytest.approx([0.01, 0.99])
    ranked = make_predictions(80).rename(columns={"prob_cal": "score"})
    assert compute_audit(ranked, attributes=["sex"], bootstrap=100).decision_curves == {}


def test_progress_counts_resamples(make_predictions):
    seen = []
    compute_audit(
        make_predictions(80), attributes=["sex"], bootstrap=100, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (100, 100)
