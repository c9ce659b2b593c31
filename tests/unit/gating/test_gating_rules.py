"""Each rule catches what was planted for it, and passes without."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.audit import ReportFacts, audit_predictions, write_audit
from medclassify.errors import ConfigError, GateError, RunError
from medclassify.gating import RuleResult, conduct_rules, load_policy, number_rules, read_evidence
from medclassify.manifest import Manifest, write_manifest
from medclassify.manifest.table import CORE_COLUMNS
from medclassify.runs import RunLayout, write_json, write_provenance
from medclassify.workflows.gate import gate

FACTS = ReportFacts(
    "model", weights={"source": "file", "requested": "imagenet", "fallback": False}, provenance={"model_sha256": "ab12"}
)


def predictions(n: int = 1500, weaker: float = 2.0) -> pd.DataFrame:
    """Two sexes; ``weaker`` is the separation in women. Calibrated by construction where it is 2."""
    random = np.random.default_rng(0)
    sex, target = random.choice(["F", "M"], n), random.random(n) < 0.5
    separation = np.where(sex == "F", weaker, 2.0)
    logit = 2 * (random.normal(size=n) + separation * target - 1)
    probability = 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(n)], "patient_id": [f"p{number}" for number in range(n)],
            "finding": "effusion", "target": target.astype(int), "prob_cal": probability, "threshold": 0.3,
            "split": "test", "sex": sex,
        }
    )  # fmt: skip


def make_run(root: Path, table: pd.DataFrame, facts: ReportFacts = FACTS, **columns: object) -> Path:
    run = RunLayout(root)
    run.explain.mkdir(parents=True)
    frame = pd.DataFrame({name: pd.Series(pd.NA, table.index, dtype="str") for name in CORE_COLUMNS})
    frame = frame.assign(
        sample_id=table["sample_id"], patient_id=table["patient_id"], sex=table["sex"], split="test", age=np.nan,
        effusion=table["target"].astype("Int8"), path=[str(root / name) for name in table["sample_id"]], **columns,
    )  # fmt: skip
    write_manifest(Manifest(frame, ("effusion",), "labels.csv", "generic"), run.manifest)
    table.to_parquet(run.predictions)
    run.config.write_text("{}\n")
    write_json(run.leakage, {"clean": True, "findings": [], "checked": {"patient_id": len(table)}})
    write_json(run.explain / "sanity.json", {"passed": True, "rule": "at most 0.5"})
    write_audit(run.audit, table, facts, attributes=("sex",), bootstrap=100)
    write_provenance(run, {"weights": {}})
    return root


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("good") / "run", predictions())


def check(folder: Path, text: str, where: Path) -> list[RuleResult]:
    (where / "p.yaml").write_text(text, encoding="utf-8")
    policy, evidence = load_policy(where / "p.yaml"), read_evidence(folder)
    return [*number_rules(policy, evidence), *conduct_rules(policy, evidence)]


ALL = "require: [leakage_clean, no_fallback_weights, not_synthetic, explanations_sane, verified]"


@pytest.mark.parametrize(
    "text",
    [
        "auroc: {macro: 0.85, every: 0.85}",
        "auroc: {findings: {effusion: 0.85}}",
        "sensitivity: {every: 0.8}",
        "gap: {auroc: 0.1, sensitivity: 0.15, specificity: 0.15}",
        "calibration: {intercept: [-0.4, 0.4], slope: [0.7, 1.3]}",
        "coverage: {predictions: 1.0}",
        "attributes: {declared: [sex]}",
        ALL,
    ],
)
def test_a_good_run_passes(good: Path, tmp_path: Path, text: str):
    results = check(good, text, tmp_path)
    assert results and all(each.passed for each in results), [each.line for each in results]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("auroc: {every: 0.95}", "the lower limit is below 0.950"),
        ("auroc: {findings: {nodule: 0.5}}", "INSUFFICIENT: the audit holds no such estimate; a rate needs a column threshold"),
        ("specificity: {every: 0.99}", "the lower limit is below 0.990"),
        ("gap: {auroc: 0.001}", "1 INSUFFICIENT; widest: effusion, sex"),
        ("calibration: {slope: [0.99, 1.01]}", "the interval does not lie in [0.99, 1.01]"),
        ("coverage: {conformal: 0.8}", "there are no conformal sets here"),
        ("attributes: {declared: [sex, site]}", "declared but not audited: site"),
        ("attributes: {declared: []}", "audited but not declared: sex"),
    ],
)
def test_what_a_good_run_does_not_keep(good: Path, tmp_path: Path, text: str, reason: str):
    failed = [each for each in check(good, text, tmp_path) if not each.passed]
    assert len(failed) == 1 and reason in failed[0].reason, [each.line for each in failed]


def test_a_planted_gap_fails_and_is_not_excused_by_allowing_what_is_insufficient(tmp_path: Path, good: Path):
    weak = make_run(tmp_path / "weak", predictions(weaker=0.4))
    (found,) = check(weak, "gap: {auroc: 0.05, insufficient: allow}", tmp_path)
    assert not found.passed and "1 FAIL" in found.reason and "sex" in found.reason
    (allowed,) = check(good, "gap: {auroc: 0.001, insufficient: allow}", tmp_path)
    assert allowed.passed and "the policy allows INSUFFICIENT" in allowed.reason


def test_a_small_sample_is_insufficient_whatever_its_lower_limit(tmp_path: Path):
    small = make_run(tmp_path / "small", predictions(30))
    (found,) = check(small, "auroc: {every: 0.01}", tmp_path)
    assert not found.passed and found.reason.startswith("INSUFFICIENT: ") and "too few samples" in found.reason


def test_a_group_of_the_manifest_must_be_audited_or_exempt(tmp_path: Path):
    table = predictions(600)
    run = make_run(tmp_path / "run", table, site=np.where(np.arange(600) % 2, "Hill", "Harbour"))
    (found,) = check(run, "attributes: {declared: [sex]}", tmp_path)
    assert not found.passed and "in the manifest, neither audited nor exempt: site" in found.reason
    (exempt,) = check(run, "attributes: {declared: [sex], exempt: {site: one hospital}}", tmp_path)
    assert exempt.passed and "site (one hospital)" in exempt.reason


def test_samples_that_were_not_scored_are_missed(tmp_path: Path):
    table = predictions(600)
    run = make_run(tmp_path / "run", table)
    table.iloc[:590].to_parquet(run / "predictions.parquet")
    (found,) = check(run, "coverage: {predictions: 1.0}", tmp_path)
    assert not found.passed and "590 of 600 test samples" in found.reason


def test_conduct_is_held_against_each_requirement(tmp_path: Path):
    facts = replace(
        FACTS, synthetic=True, weights={"fallback": True, "requested": "imagenet", "note": "no network"},
        leakage={"clean": True, "allowed": "pilot"},
    )  # fmt: skip
    run = make_run(tmp_path / "run", predictions(200), facts)
    write_json(
        run / "explain" / "sanity.json",
        {"passed": False, "method": "grad_cam", "reasons": ["they point anywhere", "it is blind"]},
    )
    reasons = {each.rule: each.reason for each in check(run, ALL, tmp_path) if not each.passed}
    assert set(reasons) == {"leakage_clean", "no_fallback_weights", "not_synthetic", "explanations_sane", "verified"}
    assert "does not accept: 'pilot'" in reasons["leakage_clean"]
    assert reasons["explanations_sane"] == "grad_cam: they point anywhere; it is blind"
    assert reasons["verified"] == "1 changed, first explain/sanity.json"
    (accepted,) = check(run, "require: [leakage_clean]\naccepted_leakage: [pilot]", tmp_path)
    assert accepted.passed and "'pilot'" in accepted.reason


def test_what_is_not_known_of_a_foreign_table_does_not_pass(tmp_path: Path):
    audit_predictions(predictions(600), ["sex"], out_dir=tmp_path / "theirs-audit", bootstrap=100)
    results = check(tmp_path / "theirs-audit", f"{ALL}\nauroc: {{every: 0.8}}\nattributes: {{declared: [sex]}}", tmp_path)
    assert {each.rule: each.passed for each in results} == {
        "auroc effusion": True, "attributes": True, **dict.fromkeys(load_policy(tmp_path / "p.yaml").required, False),
    }  # fmt: skip
    assert sum("not known" in each.reason for each in results) == 3
    (scored,) = check(tmp_path / "theirs-audit", "coverage: {predictions: 0.5}", tmp_path)
    assert not scored.passed and "no manifest lies here" in scored.reason


def test_the_verb_says_every_rule_and_writes_them(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    policy, out = tmp_path / "p.yaml", tmp_path / "gate.json"
    policy.write_text(f"auroc: {{every: 0.85}}\n{ALL}", encoding="utf-8")
    assert len(gate(good, policy, out)) == 6
    assert capsys.readouterr().out.count("PASS  ") == 6
    assert json.loads(out.read_text())["passed"] is True
    policy.write_text("auroc: {every: 0.99}\nsensitivity: {every: 0.5}", encoding="utf-8")
    with pytest.raises(GateError, match=r"1 of 2 rules of .*p\.yaml FAIL: auroc effusion\. See the lines above\."):
        gate(good, policy, out)
    stored = json.loads(out.read_text())
    assert not stored["passed"] and stored["model_sha256"] == "ab12" and stored["rules"][0]["numbers"]["minimum"] == 0.99
    with pytest.raises(ConfigError, match=r"lies inside .*, which must stay what was written"):
        gate(good, policy, good / "gate.json")
    policy.write_text("accepted_leakage: [x]", encoding="utf-8")
    with pytest.raises(ConfigError, match="no rule applies"):
        gate(good, policy, None)


def test_a_shipped_policy_is_found_from_any_folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GateError, match=r"rules of .*run\.yaml FAIL"):
        gate(good, Path("configs/policies/run.yaml"), None)


def test_other_folders_are_refused(tmp_path: Path, good: Path):
    with pytest.raises(RunError, match="neither a run nor an audit"):
        read_evidence(tmp_path)
    with pytest.raises(RunError, match="no such run directory"):
        read_evidence(tmp_path / "none")
    (tmp_path / "audit.json").write_text("{")
    (tmp_path / "estimates.csv").write_text("finding\n")
    with pytest.raises(RunError, match="cannot be read"):
        read_evidence(tmp_path)


def test_limits_of_the_interval_decide_not_the_estimate(good: Path, tmp_path: Path):
    rows = read_evidence(good).estimates.query("attribute == 'all'").set_index("metric")
    auroc, slope = rows.loc["auroc"], rows.loc["calibration_slope"]
    (floor,) = check(good, f"auroc: {{every: {(auroc['ci_low'] + auroc['estimate']) / 2}}}", tmp_path)
    assert not floor.passed
    for low, high in (((slope["ci_low"] + slope["estimate"]) / 2, 9.0), (-9.0, (slope["ci_high"] + slope["estimate"]) / 2)):
        (band,) = check(good, f"calibration: {{slope: [{low}, {high}]}}", tmp_path)
        assert not band.passed
