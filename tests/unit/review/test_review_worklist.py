from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medclassify.errors import ReviewError
from medclassify.records import ReviewDecision, Verdict
from medclassify.review import (
    Called,
    ReadStatus,
    ReviewStore,
    WorklistFilter,
    add_status,
    build_items,
    build_worklist,
    filter_worklist,
    uncertainty,
)

MODEL = "m" * 64
share = st.floats(0, 1)


@given(share, share)
def test_uncertainty_is_one_at_the_threshold_and_zero_at_certainty(probability: float, threshold: float) -> None:
    value = uncertainty(np.array([probability]), np.array([threshold]))[0]
    assert 0 <= value <= 1
    assert uncertainty(np.array([threshold]), np.array([threshold]))[0] == 1
    if 0 < threshold < 1:
        assert uncertainty(np.array([0.0, 1.0]), np.array([threshold] * 2)).tolist() == [0, 0]


@given(share, share, st.floats(0.01, 0.99))
def test_the_nearer_to_the_threshold_the_more_uncertain(one: float, two: float, threshold: float) -> None:
    low, high = sorted((one, two))
    near, far = (high, low) if high < threshold else (low, high)
    if low < threshold <= high:
        return
    doubt = uncertainty(np.array([near, far]), np.array([threshold] * 2))
    assert doubt[0] >= doubt[1]


def test_uncertainty_is_fair_to_a_low_threshold() -> None:
    # 0.01 at a threshold of 0.05 is as far from being called as 0.10 at 0.50; the plain distance would say ten times nearer.
    np.testing.assert_allclose(uncertainty(np.array([0.01, 0.10]), np.array([0.05, 0.50])), [0.2, 0.2])


def test_one_row_a_sample_least_certain_first(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions)
    # by hand: a effusion (1-.9)/.7 = .143, nodule .1/.5 = .2; b effusion .69/.7 = .986; c nodule .4/.5 = .8
    assert worklist["sample_id"].tolist() == ["b", "c", "a"]
    np.testing.assert_allclose(worklist["uncertainty"], [0.69 / 0.70, 0.8, 0.2])
    assert worklist["least_certain"].tolist() == ["effusion", "nodule", "nodule"]
    assert worklist["prob_cal"].tolist() == [0.31, 0.60, 0.10]
    assert worklist["threshold"].tolist() == [0.30, 0.50, 0.50]
    assert worklist["called"].tolist() == ["effusion", "nodule", "effusion"]
    assert worklist["n_called"].tolist() == [1, 1, 1]
    assert worklist["n_findings"].tolist() == [2, 2, 2]
    assert worklist["sex"].tolist() == ["M", "missing", "F"]


def test_the_order_of_the_rows_does_not_matter(predictions: pd.DataFrame) -> None:
    shuffled = predictions.sample(frac=1, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(build_worklist(shuffled), build_worklist(predictions))


def test_a_worklist_of_one_finding_knows_that_finding_alone(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions, finding="nodule")
    assert worklist["sample_id"].tolist() == ["c", "a", "b"]
    assert worklist["called"].tolist() == ["nodule", "", ""]
    assert worklist["n_findings"].tolist() == [1, 1, 1]


def test_an_unknown_finding_is_named(predictions: pd.DataFrame) -> None:
    with pytest.raises(ReviewError, match=r"finding 'oedema' is not in the predictions. Choose one of: effusion, nodule."):
        build_worklist(predictions, finding="oedema")


@pytest.fixture
def store(tmp_path) -> ReviewStore:
    return ReviewStore(tmp_path / "reviews.sqlite")


def judge(store: ReviewStore, predictions: pd.DataFrame, template: ReviewDecision, sample_id: str, finding: str) -> None:
    rows = predictions[(predictions["sample_id"] == sample_id) & (predictions["finding"] == finding)]
    (item,) = build_items(rows, model_fingerprint=MODEL)
    store.append_all([replace(template, sample_id=sample_id, finding=finding, item_fingerprint=item.fingerprint)])


def statuses(
    predictions: pd.DataFrame, store: ReviewStore, reader: str = "Dr Ida", model: str = MODEL, finding: str | None = None
):
    worklist = build_worklist(predictions, finding=finding)
    with_status = add_status(worklist, predictions, store.latest(reader), model_fingerprint=model, finding=finding)
    return dict(zip(with_status["sample_id"], with_status["status"], strict=True))


def test_status_is_per_reader_and_counts_findings(
    predictions: pd.DataFrame, store: ReviewStore, decision: ReviewDecision
) -> None:
    assert set(statuses(predictions, store).values()) == {"unread"}
    judge(store, predictions, decision, "a", "effusion")
    assert statuses(predictions, store) == {"a": "started", "b": "unread", "c": "unread"}
    judge(store, predictions, decision, "a", "nodule")
    judge(store, predictions, replace(decision, verdict=Verdict.UNSURE), "a", "nodule")  # said again: still one finding
    assert statuses(predictions, store)["a"] == "read"
    assert statuses(predictions, store, reader="Dr Oz")["a"] == "unread"


def test_with_one_finding_chosen_that_one_is_enough(
    predictions: pd.DataFrame, store: ReviewStore, decision: ReviewDecision
) -> None:
    judge(store, predictions, decision, "a", "effusion")
    assert statuses(predictions, store, finding="effusion")["a"] == "read"
    assert statuses(predictions, store, finding="nodule")["a"] == "unread"


def test_a_verdict_on_an_earlier_model_does_not_count(
    predictions: pd.DataFrame, store: ReviewStore, decision: ReviewDecision
) -> None:
    judge(store, predictions, decision, "a", "effusion")
    assert statuses(predictions, store, model="n" * 64)["a"] == "unread"


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (WorklistFilter(), ["b", "c", "a"]),
        (WorklistFilter(status=ReadStatus.UNREAD), ["b", "c"]),
        (WorklistFilter(status=ReadStatus.STARTED), ["a"]),
        (WorklistFilter(attribute="sex", subgroup="F"), ["a"]),
        (WorklistFilter(attribute="sex", subgroup="missing"), ["c"]),
        (WorklistFilter(split="test"), ["b", "a"]),
        (WorklistFilter(split="test", attribute="sex", subgroup="F"), ["a"]),
        (WorklistFilter(sample=" B "), ["b"]),
        (WorklistFilter(sample=".*"), []),
        (WorklistFilter(samples=frozenset({"c"})), ["c"]),
        (WorklistFilter(sample="b", attribute="sex", subgroup="F"), []),
    ],
)
def test_each_filter(
    predictions: pd.DataFrame, store: ReviewStore, decision: ReviewDecision, chosen: WorklistFilter, left: list[str]
) -> None:
    judge(store, predictions, decision, "a", "effusion")
    worklist = add_status(build_worklist(predictions), predictions, store.latest("Dr Ida"), model_fingerprint=MODEL)
    assert filter_worklist(worklist, chosen)["sample_id"].tolist() == left


def test_called_speaks_of_the_chosen_finding(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions, finding="nodule")
    assert filter_worklist(worklist, WorklistFilter(called=Called.POSITIVE))["sample_id"].tolist() == ["c"]
    assert filter_worklist(worklist, WorklistFilter(called=Called.NEGATIVE))["sample_id"].tolist() == ["a", "b"]


def test_a_filter_the_worklist_cannot_answer_is_refused(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions)
    with pytest.raises(ReviewError, match="no column 'status' to filter by"):
        filter_worklist(worklist, WorklistFilter(status=ReadStatus.READ))
    with pytest.raises(ReviewError, match="no column 'site' to filter by"):
        filter_worklist(worklist, WorklistFilter(attribute="site", subgroup="x"))
