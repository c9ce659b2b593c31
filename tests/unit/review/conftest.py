import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from run_files import write_run

from medclassify.records import ReviewDecision, Verdict
from medclassify.review import Desk, ReviewRun, ReviewStore, open_review_run

PROBABILITIES = {
    "a": {"effusion": 0.90, "nodule": 0.10},
    "b": {"effusion": 0.31, "nodule": 0.02},
    "c": {"effusion": 0.01, "nodule": 0.60},
}
THRESHOLDS = {"effusion": 0.30, "nodule": 0.50}


@pytest.fixture
def predictions() -> pd.DataFrame:
    return predicted()


def predicted() -> pd.DataFrame:
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


@pytest.fixture
def run(tmp_path: Path, predictions: pd.DataFrame) -> Path:
    return write_run(tmp_path / "run", predictions)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> ReviewRun:
    """The run as readers have it; opened once, for it is never changed."""
    return open_review_run(write_run(tmp_path_factory.mktemp("opened") / "run", predicted()))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the newest form, made once: its migrations have tests of their own."""
    path = tmp_path_factory.mktemp("store") / "reviews.sqlite"
    ReviewStore(path).close()
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> ReviewStore:
    return ReviewStore(shutil.copy(empty_store, tmp_path / "reviews.sqlite"))


@pytest.fixture
def desk(opened: ReviewRun, store: ReviewStore) -> Desk:
    return Desk(opened, store)
