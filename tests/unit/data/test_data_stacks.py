"""Slices in order: neighbours by where they lie, ends repeated, series of any length."""

import numpy as np
import pandas as pd

from medclassify.data import PreparedDataset, PreparedStore
from medclassify.data.stacks import in_stacks

NAMES = ["c", "a", "x", "b", "d", "y"]  # as the store has them: not as they lie
IMAGES = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
SLICES = pd.DataFrame(
    {"stack": list("AAAABB"), "slice_id": list("abcdxy"), "position_mm": [0.0, 5.0, 10.0, 20.0, 7.0, 9.0]}  # c to d: a gap
)


def store(names: list[str] = NAMES) -> PreparedStore:
    index = pd.DataFrame({"sample_id": names, "pixel_sha256": [f"h{name}" for name in names]})
    return PreparedStore(IMAGES[: len(names)], index)


def shown(found: PreparedStore, name: str) -> str:
    """The slices that make up a picture, by name."""
    picture = found.images[found.rows([name])]
    return "".join(NAMES[int(channel[0, 0])] for channel in picture[0])


def test_neighbours_are_those_below_and_above_and_ends_repeat() -> None:
    found = in_stacks(store(), SLICES.sample(frac=1, random_state=1), neighbours=1, series=False)
    assert [shown(found, name) for name in "abcdxy"] == ["aab", "abc", "bcd", "cdd", "xxy", "xyy"]
    assert found.images.shape == (6, 3, 2, 2) and found.sample_ids == NAMES and not found.stacks


def test_a_slice_that_could_not_be_read_is_passed_over() -> None:
    found = in_stacks(store(NAMES[:3] + NAMES[4:]), SLICES, neighbours=1, series=False)
    picture = found.images[found.rows(["a"])][0, :, 0, 0]
    assert picture.tolist() == [1, 1, 0]  # b is not there: c is next


def test_a_slice_of_no_stack_stands_for_its_neighbours_too() -> None:
    found = in_stacks(store(), SLICES[SLICES["slice_id"] != "a"], neighbours=1, series=False)
    assert shown(found, "a") == "aaa"


def test_series_hold_their_slices_in_order() -> None:
    found = in_stacks(store(), SLICES, neighbours=0, series=True)
    assert {name: [NAMES[row] for row in rows] for name, rows in found.stacks.items()} == {"A": list("abcd"), "B": list("xy")}
    assert found.sample_ids == ["A", "B"]
    hashes = found.pixel_hashes()
    assert set(hashes) == {"A", "B"} and hashes["A"] != hashes["B"]
    reversed_a = SLICES.assign(position_mm=-SLICES["position_mm"])
    assert in_stacks(store(), reversed_a, neighbours=0, series=True).pixel_hashes()["A"] != hashes["A"]


def test_batches_and_names_of_embeddings_know_the_neighbours() -> None:
    found = in_stacks(store(), SLICES, neighbours=1, series=True)
    data = PreparedDataset(found.images, found.rows(["b", "y"]), np.zeros((2, 1)), np.ones((2, 1), bool))
    assert data[0]["image"].shape == (3, 2, 2)
    assert data.__getitems__([1])["image"][0, :, 0, 0].tolist() == [2, 5, 5]
    other = in_stacks(store(), SLICES.assign(position_mm=-SLICES["position_mm"]), neighbours=1, series=True)
    assert found.images.digest != other.images.digest  # type: ignore[attr-defined]
