import json

import pandas as pd
import pytest

from medclassify.audit import ReportFacts, audit_table, write_audit
from medclassify.audit.coverage import coverage_rows, workload
from medclassify.calibration import conformal_sets, conformal_to_json
from medclassify.errors import MetricError
from medclassify.records import ConformalRule, Split, Status


def rules(findings, low, high, alpha=0.1):
    return [ConformalRule(name, alpha, low, high, Split.CALIBRATE, 100, 100) for name in findings]


def with_sets(predictions: pd.DataFrame, low=0.2, high=0.4) -> pd.DataFrame:
    (rule,) = rules(["any"], low, high)
    return predictions.assign(conformal_set=conformal_sets(predictions["prob_cal"].to_numpy(), rule))


def found(rows, finding, metric, attribute="all", subgroup="all"):
    (row,) = [
        row for row in rows if (row.finding, row.metric, row.attribute, row.subgroup) == (finding, metric, attribute, subgroup)
    ]
    return row


def test_coverage_is_the_share_of_a_class_whose_set_holds_it(make_predictions):
    predictions = with_sets(make_predictions(600))
    rows = coverage_rows(audit_table(predictions, ["sex"]))
    one = predictions[predictions["finding"] == "Nodule"]
    p, present = one["prob_cal"].to_numpy(), one["target"].to_numpy() == 1
    assert found(rows, "Nodule", "coverage_present").estimate.value == (p >= 0.2)[present].mean()
    assert found(rows, "Nodule", "coverage_absent").estimate.value == (p <= 0.4)[~present].mean()
    assert found(rows, "Nodule", "referred").estimate.value == ((p >= 0.2) & (p <= 0.4)).mean()
    women = found(rows, "Nodule", "coverage_present", "sex", "F")
    assert women.n_pos == int((present & (one["sex"] == "F")).sum())
    assert women.estimate.ci_low < women.estimate.value < women.estimate.ci_high


def test_small_cells_are_not_shown_and_repeated_patients_widen(make_predictions):
    predictions = with_sets(make_predictions(600, images=3))
    predictions.loc[predictions["sample_id"].isin([f"s{n:05d}" for n in range(9)]), "sex"] = "X"
    rows = coverage_rows(audit_table(predictions, ["sex"]))
    assert found(rows, "Nodule", "coverage_present", "sex", "X").estimate.status is Status.NOT_ESTIMABLE
    assert found(rows, "Nodule", "referred").estimate.ci_method == "Wilson n_eff"


def test_a_table_without_sets_has_no_coverage(make_predictions):
    assert coverage_rows(audit_table(make_predictions(100), [])) == []
    assert workload(audit_table(make_predictions(100), []), {}) == []


def test_an_unknown_set_is_refused(make_predictions):
    predictions = make_predictions(50).assign(conformal_set="both")
    with pytest.raises(MetricError, match="conformal_set must be present, absent, refer, none or blank, received 'both'"):
        audit_table(predictions, [])


def test_workload_counts_cases_and_what_nobody_looks_at(make_predictions):
    predictions = make_predictions(400)
    names = ["Effusion", "Nodule"]
    curve = [*rules(names, 0.05, 0.6, 0.05), *rules(names, 0.2, 0.4, 0.2)]
    rows = workload(audit_table(predictions, []), conformal_to_json(curve[2:], curve))
    assert [(row.finding, row.alpha) for row in rows] == [(f, a) for a in (0.05, 0.2) for f in (*names, "all")]
    wide = predictions.pivot(index="sample_id", columns="finding", values="prob_cal")
    truth = predictions.pivot(index="sample_id", columns="finding", values="target") == 1
    refer = (wide >= 0.2) & (wide <= 0.4)
    person = refer.any(axis=1)
    case = rows[-1]
    assert (case.n, case.to_person) == (400, int(person.sum()))
    assert case.missed == int((truth & (wide < 0.2))[~person].to_numpy().sum())
    assert case.false_alarms == int((~truth & (wide > 0.4))[~person].to_numpy().sum())
    assert rows[3].missed == int((truth & (wide < 0.2))["Effusion"].sum())
    assert rows[2].to_person > case.to_person
    assert rows[2].missed < case.missed


def test_the_report_shows_coverage_workload_and_a_group_left_behind(make_predictions, tmp_path):
    predictions = with_sets(make_predictions(1500, weaker_in="F"))
    names = ["Effusion", "Nodule"]
    curve = [*rules(names, 0.05, 0.6, 0.02), *rules(names, 0.2, 0.4)]
    facts = ReportFacts("t", conformal=conformal_to_json(curve[2:], curve))
    write_audit(tmp_path, predictions, facts, attributes=["sex"], bootstrap=100)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Workload against missed findings" in page
    assert "Promised on the calibrate split: 90.0 % of each class" in page
    assert "Effusion, sex F" in page
    assert "Nodule, sex F" not in page
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert len(told["workload"]) == 6
    assert {row["metric"] for row in told["coverage"]} == {"coverage_present", "coverage_absent", "referred"}
    estimates = pd.read_csv(tmp_path / "estimates.csv")
    assert "coverage_present" in set(estimates["metric"])
