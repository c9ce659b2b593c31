"""Obuchowski's variance against sums written out patient by patient."""

import numpy as np
import pytest

from medclassify import metrics
from medclassify.metrics.clustered import disjoint_pairs, variance_of_total


def written_out(y, score, patients):
    """The variance as Obuchowski's paper lays it out, with loops."""
    kernel = lambda a, b: 1.0 if a > b else 0.5 if a == b else 0.0  # noqa: E731
    positives, negatives = score[y == 1], score[y == 0]
    m, n = len(positives), len(negatives)
    area = sum(kernel(a, b) for a in positives for b in negatives) / (m * n)
    ids = sorted(set(patients))
    above, below = [], []
    for one in ids:
        mine = patients == one
        v10 = [sum(kernel(a, b) for b in negatives) / n for a in score[mine & (y == 1)]]
        v01 = [sum(kernel(a, b) for a in positives) / m for b in score[mine & (y == 0)]]
        above.append((sum(v10) - len(v10) * area, bool(v10)))
        below.append((sum(v01) - len(v01) * area, bool(v01)))
    i10, i01, i = sum(has for _, has in above), sum(has for _, has in below), len(ids)
    s10 = i10 / ((i10 - 1) * m) * sum(v * v for v, _ in above)
    s01 = i01 / ((i01 - 1) * n) * sum(v * v for v, _ in below)
    s11 = i / (i - 1) * sum(a * b for (a, _), (b, _) in zip(above, below, strict=True))
    return area, s10 / m + s01 / n + 2 * s11 / (m * n)


def clustered(seed: int, ties: bool = False):
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, 25, 80)
    effect = rng.normal(size=25)[patients]
    y = (rng.random(80) < 1 / (1 + np.exp(-effect))).astype(int)
    score = effect + rng.normal(size=80) + y
    return y, np.round(score, 0) if ties else score, patients


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
def test_variance_is_the_one_written_out(seed, ties):
    y, score, patients = clustered(seed, ties)
    area, variance = written_out(y, score, patients)
    areas, covariance = metrics.auroc_covariance(y, [score], patients=patients)
    assert areas[0] == pytest.approx(area, abs=1e-14)
    assert covariance[0, 0] == pytest.approx(variance, rel=1e-12)


def test_a_difference_has_the_variance_of_the_difference():
    """Var(A − B) = Var A + Var B − 2 Cov, and a score has no difference to itself."""
    y, first, patients = clustered(7)
    _, covariance = metrics.auroc_covariance(y, [first, first, -first], patients=patients)
    assert covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] == pytest.approx(0, abs=1e-16)
    assert covariance[0, 2] == pytest.approx(-covariance[0, 0], rel=1e-12)


def test_disjoint_pairs_use_each_patient_once():
    positive = np.array([1, 1, 0, 0, 0], bool)
    assert disjoint_pairs(positive, None) == 2
    assert disjoint_pairs(positive, np.array([0, 0, 1, 2, 3])) == 1
    assert disjoint_pairs(positive, np.array([0, 1, 0, 1, 1])) == 1


def test_variance_of_a_total_sums_within_patients_first():
    deviations = np.array([1.0, -1.0, 2.0, -2.0])
    assert variance_of_total(deviations, None) == (pytest.approx(4 / 3 * 10), 4)
    assert variance_of_total(deviations, np.array([0, 0, 1, 1])) == (pytest.approx(0), 2)
    assert variance_of_total(deviations, np.array([0, 1, 0, 1])) == (pytest.approx(2 * 18), 2)
    assert variance_of_total(deviations, np.array([0, 5, 0, 5]))[1] == 2
