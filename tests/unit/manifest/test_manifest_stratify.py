import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medclassify.manifest.stratify import stratify

SHARES = np.array([0.6, 0.1, 0.1, 0.2])


def random_labels(patients: int, prevalence: tuple[float, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((patients, len(prevalence))) < np.array(prevalence)


@settings(max_examples=60, deadline=None)
@given(
    patients=st.integers(1, 300),
    prevalence=st.lists(st.sampled_from([0.01, 0.05, 0.2, 0.5, 0.9]), max_size=6),
    raw=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    seed=st.integers(0, 1000),
)
def test_everyone_is_placed_and_shares_are_kept(patients: int, prevalence: list[float], raw: list[int], seed: int) -> None:
    shares = np.array(raw) / sum(raw)
    labels = random_labels(patients, tuple(prevalence), seed)
    splits = stratify(labels, shares)
    assert splits.shape == (patients,)
    assert set(splits) <= set(range(len(shares)))
    counts = np.bincount(splits, minlength=len(shares))
    assert np.abs(counts - shares * patients).max() <= 1 + 1.5 * len(shares) + labels.shape[1]
    if patients >= len(shares):
        assert counts.min() >= 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), patients=st.integers(200, 1500))
def test_each_label_has_its_share_in_each_split(seed: int, patients: int) -> None:
    labels = random_labels(patients, (0.03, 0.1, 0.3, 0.6), seed)
    splits = stratify(labels, SHARES)
    for label in labels.T:
        counts = np.bincount(splits[label], minlength=4)
        assert np.abs(counts - SHARES * label.sum()).max() <= 4  # patients, of up to hundreds


def test_it_is_closer_than_drawing_by_lot() -> None:
    labels = random_labels(400, (0.02, 0.04, 0.08, 0.15, 0.3), 1)
    ours = stratify(labels, SHARES)
    lots = np.random.default_rng(0).choice(4, 400, p=SHARES)

    def unevenness(splits: np.ndarray) -> float:
        counts = np.stack([np.bincount(splits[label], minlength=4) for label in labels.T])
        return float(np.abs(counts - SHARES * labels.sum(axis=0)[:, None]).mean())

    assert unevenness(ours) < 0.25 * unevenness(lots)


def test_the_rarest_label_is_served_first() -> None:
    labels = np.zeros((40, 2), dtype=bool)
    labels[:30, 0] = True
    labels[[3, 33], 1] = True
    splits = stratify(labels, np.array([0.5, 0.5]))
    assert sorted(splits[[3, 33]]) == [0, 1]
    assert np.bincount(splits[:30]).tolist() == [15, 15]
    assert np.bincount(splits).tolist() == [20, 20]


def test_one_patient_each_where_there_are_as_many_as_splits() -> None:
    assert sorted(stratify(np.ones((4, 1), dtype=bool), SHARES)) == [0, 1, 2, 3]


def test_no_labels_at_all_still_gives_shares() -> None:
    assert np.bincount(stratify(np.zeros((100, 0), dtype=bool), SHARES)).tolist() == [60, 10, 10, 20]


@pytest.mark.parametrize("patients", [1000, 100_000])
def test_whole_label_sets_are_dealt_exactly(patients: int) -> None:
    labels = np.arange(patients)[:, None] % 10 == np.arange(3)
    splits = stratify(labels, SHARES)
    for label in labels.T:
        assert np.bincount(splits[label]).tolist() == (SHARES * label.sum()).round().astype(int).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_many_findings_in_many_combinations_are_shared_to_the_patient(seed: int) -> None:
    """Where nearly every patient has a set of labels of its own, whole sets cannot be shared out, labels can."""
    labels = random_labels(700, (0.02, 0.03, 0.03, 0.04, 0.05, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5), seed)
    splits = stratify(labels, SHARES)
    counts = np.stack([np.bincount(splits[label], minlength=4) for label in labels.T])
    away = np.abs(counts - SHARES * labels.sum(axis=0)[:, None])
    assert away.mean() < 0.4 and away.max() <= 1.5
