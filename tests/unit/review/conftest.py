from datetime import UTC, datetime

import pandas as pd
import pytest

from medclassify.records import ReviewDecision, Verdict

PROBABILITIES = {
    "a": {"effusion": 0.90, "nodule": 0.10},
    "b": {"effusion": 0.31, "nodule": 0.02},
    "c": {"effusion": 0.01, "nodule": 0.60},
}
THRESHOLDS = {"effusion": 0.30, "nodule": 0.50}


@pytest.fixture
def predictions() -> pd.DataFrame:
    rows = [
        {
            "sample_id": sample_id,
            "patient_id": f"patient-{sample_id}",
            "finding": finding,
            "target": 1 if probability > 0.5 else 0,
            "logit": 0.0,
            "prob_raw": probability,
            "prob_cal": probability,
            "threshold": THRESHOLDS[finding],
            "decision": probability >= THRESHOLDS[finding],
            "split": "calibrate" if sample_id == "c" else "test",
            "sex": {"a": "F", "b": "M", "c": None}[sample_id],
        }
        for sample_id, findings in PROBABILITIES.items()
        for finding, probability in findings.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def decision() -> ReviewDecision:
    return ReviewDecision(
        sample_id="a",
        finding="effusion",
        reader="Dr Ida",
        verdict=Verdict.ACCEPT,
        comment="",
        decided_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        item_fingerprint="f" * 64,
        shown=("image", "probability"),
    )
