"""Each planted fault is found by the alarm that is made for it, and a population without one rings none.

Twenty populations of the phantom with each fault: ``python -m benchmarks faults``, whose alarms these are.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.suite.faults import rung
from medclassify.audit import ReportFacts, compute_audit
from medclassify.audit.report import render_report
from medclassify.manifest import CORE_COLUMNS, Manifest, check_leakage

SAMPLES = 1500


def drawn(fault: str, seed: int) -> pd.DataFrame:
    """A finding of which probabilities are calibrated until the fault is planted; a lead marker stands in half the images."""
    random = np.random.default_rng(seed)
    facts = {name: random.choice(list(levels), SAMPLES) for name, levels in (("sex", "FM"), ("site", "AB"), ("marker", "ny"))}
    spread = np.where(facts["sex"] == "F", 0.5, 2.5) if fault == "fainter_in_f" else 2.5
    logit = random.normal(-1.0, spread, SAMPLES)
    if fault == "site_marker":
        logit += np.where(facts["marker"] == "y", 2.0, -2.0)
    target = random.random(SAMPLES) < 1 / (1 + np.exp(-logit))
    if fault == "label_noise_site_b":
        target ^= (facts["site"] == "B") & (random.random(SAMPLES) < 0.25)
    if fault == "miscalibrated_site_b":
        logit += np.where(facts["site"] == "B", 1.0, 0.0)
    probability = 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {"finding": "edema", "target": target.astype(int), "probability": probability, "threshold": 0.4, **facts}
    )


def alarms(fault: str, seed: int = 0) -> set[str]:
    references = {"sex": "M", "site": "A", "marker": "n"}
    predictions = drawn(fault, seed).assign(sample_id=[f"s{number}" for number in range(SAMPLES)])
    found = rung(compute_audit(predictions, attributes=list(references), references=references, bootstrap=100))
    return {name for name, sizes in found.items() if sizes}


# A label turned round makes probabilities wrong too, and says so.
@pytest.mark.parametrize(
    ("fault", "beside"),
    [
        ("fainter_in_f", set()),
        ("label_noise_site_b", {"miscalibrated_site_b"}),
        ("site_marker", set()),
        ("miscalibrated_site_b", set()),
    ],
)
def test_a_planted_fault_rings_its_alarm(fault: str, beside: set[str]) -> None:
    assert fault in alarms(fault) <= {fault, *beside}


@pytest.mark.parametrize("seed", range(3))
def test_no_fault_rings_none(seed: int) -> None:
    assert alarms("", seed) == set()


@pytest.mark.parametrize("planted", [True, False])
def test_a_patient_in_two_splits_is_told_in_the_report(planted: bool) -> None:
    splits = ["train", "train", "test", "test"]
    facts = {"patient_id": ["a", "b", "a" if planted else "c", "d"], "split": splits, "edema": [0, 1, 0, 1]}
    frame = pd.DataFrame({**facts, "sample_id": list("wxyz"), "path": list("wxyz")})
    frame = frame.reindex(columns=[*CORE_COLUMNS, "edema"])
    leakage = check_leakage(Manifest(frame, ("edema",), "labels.csv", "generic")).to_json()
    result = compute_audit(drawn("", 0).assign(sample_id=[f"s{number}" for number in range(SAMPLES)]), bootstrap=100)
    html = render_report(result, ReportFacts("t", leakage=leakage))
    assert ("1 patient is in both train and test" in html) is planted
    assert ("✕ not clean" in html) is planted
    assert ("✓ clean" in html) is not planted
