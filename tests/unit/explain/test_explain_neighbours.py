"""Similar, counter and typical cases are what their names say."""

import numpy as np
import pytest

from medclassify.errors import ExplainError
from medclassify.explain import Neighbours, nearest_neighbours

ANGLES = np.radians([0, 10, 20, 80, 90, 45])
EMBEDDINGS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32) * np.arange(1, 7)[:, None]
TARGETS = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0, 1], [1, 1]], float)
MASK = np.ones((6, 2), bool)


@pytest.fixture
def training() -> Neighbours:
    mask = MASK.copy()
    mask[5] = False
    return Neighbours(EMBEDDINGS, [f"t{i}" for i in range(6)], TARGETS, mask, ("effusion", "nodule"))


def table(training: Neighbours, called: bool):
    asked = np.array([[1.0, 0.05]], np.float32)
    return nearest_neighbours(training, asked, ["s"], np.array([[called, False]]), similar=3, counter=1, prototypes=1)


def test_the_nearest_by_direction_come_first_with_their_labels(training) -> None:
    found = table(training, called=True)
    near = found[found["kind"] == "similar"]
    assert near["neighbour_id"].tolist() == ["t0", "t1", "t2"] and near["rank"].tolist() == [1, 2, 3]
    assert near["labels"].tolist() == ["effusion", "effusion", "nodule"] and near["distance"].is_monotonic_increasing
    assert training.labels(3) == "none" and training.labels(5) == "not labelled"


@pytest.mark.parametrize(("called", "nearest"), [(True, "t2"), (False, "t0")])
def test_a_counter_case_has_the_other_label(training, called: bool, nearest: str) -> None:
    found = table(training, called)
    counter = found[(found["kind"] == "counter") & (found["finding"] == "effusion")]
    assert counter["neighbour_id"].tolist() == [nearest]


def test_a_prototype_is_the_most_typical_and_belongs_to_no_sample(training) -> None:
    found = table(training, called=True)
    typical = found[found["kind"] == "prototype"].set_index("finding")
    assert set(typical["sample_id"]) == {""}
    assert typical.loc["effusion", "neighbour_id"] in ("t0", "t1") and typical.loc["nodule", "neighbour_id"] in ("t2", "t4")


def test_fewer_cases_than_asked_for_and_none_at_all() -> None:
    alone = Neighbours(EMBEDDINGS[:1], ["t0"], TARGETS[:1], MASK[:1], ("effusion", "nodule"))
    found = nearest_neighbours(alone, EMBEDDINGS[1:2], ["s"], np.array([[True, True]]))
    assert found["neighbour_id"].tolist() == ["t0", "t0", "t0"]  # similar, prototype of effusion, counter of nodule
    assert sorted(found["kind"]) == ["counter", "prototype", "similar"]
    with pytest.raises(ExplainError, match="received 0 embeddings, 0 labels and 0 samples"):
        Neighbours(EMBEDDINGS[:0], [], TARGETS[:0], MASK[:0], ("effusion", "nodule"))
