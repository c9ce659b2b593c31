"""Published numbers of reader statistics: Fleiss' psychiatrists, Gwet's abstractors and raters, Van Dyke's reader study."""

import numpy as np
import pytest

from medclassify.metrics import cohen_kappa, fleiss_kappa, gwet_ac1, obuchowski_rockette, reader_study
from medclassify.records import Estimate, Status


def two_raters(table: list[list[int]]) -> np.ndarray:
    """A contingency table as ratings (2, n)."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return np.array(pairs).T


# Gwet, Handbook of Inter-Rater Reliability (2014): 100 pregnancies, two abstractors; printed by his package irrCAC 1.0. For two
# raters it divides a variance by n, where it divides by n - 1 for several, as is done here throughout.
ABSTRACTORS = two_raters([[13, 0, 0], [0, 20, 7], [0, 4, 56]])


def error_of(found: Estimate) -> float:
    """The standard error with a divisor of n, from the interval's half width: t of 99 degrees of freedom."""
    assert found.ci_high is not None and found.value is not None
    return (found.ci_high - found.value) / 1.9842169516 * (99 / 100) ** 0.5


def test_cohen_kappa_of_two_abstractors():
    found = cohen_kappa(*ABSTRACTORS)
    assert found.value == pytest.approx(0.7964094, abs=5e-8)
    assert error_of(found) == pytest.approx(0.05891072, abs=1e-8)


def test_gwet_ac1_of_two_abstractors():
    found = gwet_ac1(ABSTRACTORS)
    assert found.value == pytest.approx(0.8493305, abs=5e-8)
    assert error_of(found) == pytest.approx(0.04321747, abs=1e-8)


def test_fleiss_kappa_of_two_readers_is_scotts_pi():
    found = fleiss_kappa(ABSTRACTORS)
    assert found.value == pytest.approx(0.7962397, abs=5e-8)
    assert error_of(found) == pytest.approx(0.05905473, abs=1e-8)


# Fleiss (1971), table 1: six psychiatrists, 30 patients, diagnoses 1 to 5.
DIAGNOSES = (
    "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445 "
    "333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"
)


def test_fleiss_kappa_of_six_psychiatrists():
    ratings = np.array([[int(digit) - 1 for digit in patient] for patient in DIAGNOSES.split()]).T
    assert fleiss_kappa(ratings).value == pytest.approx(0.430, abs=5e-4)


# Gwet's four raters and twelve subjects, of whom some were not rated (irrCAC 1.0, cac.raw4raters).
FOUR_RATERS = np.array(
    [[int(digit) - 1 for digit in rater] for rater in ("123321412000", "123322412503", "033323422510", "123324412510")]
)


def test_readers_who_have_not_read_everything():
    ac1, kappa = gwet_ac1(FOUR_RATERS), fleiss_kappa(FOUR_RATERS)
    assert (ac1.value, kappa.value) == pytest.approx((0.77544, 0.76117), abs=5e-6)
    assert (ac1.ci_high - ac1.value) / 2.200985 == pytest.approx(0.14295, abs=5e-6)  # t of 11 degrees of freedom
    assert (kappa.ci_high - kappa.value) / 2.200985 == pytest.approx(0.15302, abs=5e-6)
    assert ac1.status is Status.UNSTABLE
    assert "outside [-1, 1]" in ac1.note


def structured(readers: int, error: float, cov1: float, cov2: tuple[float, float], cov3: float) -> np.ndarray:
    """The covariance matrix that has the published averages."""
    full = np.full((2, readers, 2, readers), cov3)
    for way in range(2):
        full[way, :, way, :] = cov2[way]
        for reader in range(readers):
            full[way, reader, 1 - way, reader] = cov1
            full[way, reader, way, reader] = error
    return full.reshape(2 * readers, 2 * readers)


# Van Dyke (1993): aortic dissection, 114 cases, 5 readers, spin-echo and cine MRI; figures as MRMCaov (Smith & Hillis 2020)
# prints them. Areas with DeLong covariances.
AREAS = [
    [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
    [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
]


def test_a_reader_study_of_areas():
    cov2 = (0.0004775239, 0.0002015292)
    study = obuchowski_rockette(AREAS, structured(5, 0.0007921325, 0.0003420090, cov2, 0.0002358497))
    assert (study.f, study.df, study.p) == pytest.approx((4.484854, 15.06611, 0.05123303), rel=2e-6)
    found = study.difference
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((0.04380032, -0.0002665519, 0.0878671960), abs=5e-8)
    first, second = study.means
    assert (first.value, first.ci_low, first.ci_high) == pytest.approx((0.8970370, 0.8253461, 0.9687280), abs=2e-7)
    assert (second.value, second.ci_low, second.ci_high) == pytest.approx((0.9408374, 0.8942155, 0.9874592), abs=2e-7)
    averages = (study.error, study.cov1, study.cov2, study.cov3)
    assert averages == pytest.approx((0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497), abs=1e-10)


def test_a_reader_study_of_sensitivities():
    sensitivities = np.array([[40, 35, 37, 42, 31], [44, 37, 41, 45, 40]]) / 45
    cov2 = (0.001646465, 0.000382716)
    study = obuchowski_rockette(sensitivities, structured(5, 0.0023681257, 0.0009943883, cov2, 0.0006604938))
    assert (study.f, study.df, study.p) == pytest.approx((6.689493, 15.71732, 0.02008822), rel=2e-6)
    found = study.difference
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((0.09777778, 0.0175185, 0.1780371), abs=1e-7)
    first, second = study.means
    assert (first.ci_low, first.ci_high, second.ci_low) == pytest.approx((0.6961876, 0.9482568, 0.8328691), abs=1e-6)
    assert second.ci_high > 1  # the package cuts it off at 1; here it is left and said
    assert "lies outside [0, 1]" in second.note


def test_with_negligible_cases_it_is_the_paired_t_test_of_readers():
    from scipy import stats

    study = obuchowski_rockette(AREAS, np.zeros((10, 10)))  # MRMCaov, fixed cases: F 8.704 on 1 and 4, p 0.04195875
    assert (study.f, study.df, study.p) == pytest.approx((8.704, 4, 0.04195875), abs=1e-4)
    assert study.p == pytest.approx(stats.ttest_rel(*AREAS).pvalue)


def test_from_ratings_to_a_study():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    scores = rng.normal(size=(2, 4, 80)) + y * np.array([0.8, 1.6])[:, None, None] + rng.normal(size=80)
    study = reader_study(y, scores)
    assert study.difference.value == pytest.approx(study.means[1].value - study.means[0].value)
    assert study.difference.value > 0
    assert study.figures.shape == (2, 4)
    assert study.error > study.cov1 > 0
    same = reader_study(y, np.stack([scores[0], scores[0]]))
    assert (same.difference.value, same.f, same.p) == (0, 0, 1)
