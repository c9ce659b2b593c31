import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.data import PreparedStore
from medclassify.errors import StorageError
from medclassify.workflows import alike
from medclassify.workflows.alike import find_alike

PATIENTS = [f"p{number}" for number in range(12)]


@pytest.fixture
def store(tmp_path: Path) -> PreparedStore:
    """Twelve pictures, of which the last is the first, darker."""
    generator = np.random.default_rng(0)
    pictures = np.kron(generator.integers(20, 240, (12, 1, 16, 16)), np.ones((8, 8))).astype(np.uint8)
    pictures[-1] = pictures[0] // 2
    path = tmp_path / "store" / "images.npy"
    path.parent.mkdir()
    np.save(path, pictures)
    index = pd.DataFrame({"sample_id": [f"s{number}" for number in range(12)]})
    return PreparedStore(np.load(path, mmap_mode="r"), index)


def owned(store: PreparedStore, patients: list[str]) -> dict[str, str]:
    return dict(zip(store.index["sample_id"], patients, strict=True))


def test_the_second_time_nothing_is_compared(store, monkeypatch, capsys) -> None:
    first = find_alike(store, owned(store, PATIENTS))
    assert [(pair.first, pair.second) for pair in first] == [("s0", "s11")]
    monkeypatch.setattr(alike, "near_duplicates", None)
    assert find_alike(store, owned(store, PATIENTS)) == first
    assert "comparing images: done before, 1 pairs alike" in capsys.readouterr().out
    assert find_alike(store, owned(store, [f"{patient} by another key" for patient in PATIENTS])) == first


def test_other_patients_are_another_comparison(store) -> None:
    assert find_alike(store, owned(store, PATIENTS))
    assert find_alike(store, owned(store, [*PATIENTS[:-1], "p0"])) == ()
    assert find_alike(store, owned(store, PATIENTS))


@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", '{"images": 12}', '{"images": 11, "pairs": []}', '{"images": 12, "pairs": [[0, 12, 0.99]]}', "\xff"],
)
def test_what_is_damaged_is_made_again(store, damaged) -> None:
    first = find_alike(store, owned(store, PATIENTS))
    (kept,) = store.folder.glob("alike-*.json")
    kept.write_text(damaged, encoding="latin-1")
    assert find_alike(store, owned(store, PATIENTS)) == first
    assert json.loads(kept.read_text())["pairs"][0][:2] == [0, 11]


def test_a_cache_that_cannot_be_written_is_told(store) -> None:
    find_alike(store, owned(store, PATIENTS))
    (name,) = store.folder.glob("alike-*.json")
    name.unlink()
    name.mkdir()  # as root, permissions stop nobody
    with pytest.raises(StorageError):
        find_alike(store, owned(store, PATIENTS))
