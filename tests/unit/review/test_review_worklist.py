import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medclassify.errors import ReviewError
from medclassify.records import ReadingState
from medclassify.review import (
    Called,
    WorklistFilter,
    build_worklist,
    filter_worklist,
    uncertainty,
)

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


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (WorklistFilter(), ["b", "c", "a"]),
        (WorklistFilter(status=ReadingState.UNREAD), ["b", "c"]),
        (WorklistFilter(status=ReadingState.OPENED), ["a"]),
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
def test_each_filter(predictions: pd.DataFrame, chosen: WorklistFilter, left: list[str]) -> None:
    worklist = build_worklist(predictions).assign(status=["unread", "unread", "opened"])
    assert filter_worklist(worklist, chosen)["sample_id"].tolist() == left


def test_called_speaks_of_the_chosen_finding(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions, finding="nodule")
    assert filter_worklist(worklist, WorklistFilter(called=Called.POSITIVE))["sample_id"].tolist() == ["c"]
    assert filter_worklist(worklist, WorklistFilter(called=Called.NEGATIVE))["sample_id"].tolist() == ["a", "b"]


def test_a_filter_the_worklist_cannot_answer_is_refused(predictions: pd.DataFrame) -> None:
    worklist = build_worklist(predictions)
    with pytest.raises(ReviewError, match="no column 'status' to filter by"):
        filter_worklist(worklist, WorklistFilter(status=ReadingState.DONE))
    with pytest.raises(ReviewError, match="no column 'site' to filter by"):
        filter_worklist(worklist, WorklistFilter(attribute="site", subgroup="x"))
