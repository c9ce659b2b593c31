import numpy as np
import pytest

from medclassify.errors import MetricError
from medclassify.metrics import cohen_kappa, fleiss_kappa, gwet_ac1, obuchowski_rockette, reader_study
from medclassify.records import Status

A = np.array([0, 0, 1, 1, 2, 1, 0, 2, 1, 1, 0, 0] * 3)
B = np.array([0, 1, 1, 1, 2, 1, 0, 0, 1, 2, 0, 0] * 3)
both = pytest.mark.parametrize(
    "measure", [lambda a, b: cohen_kappa(a, b), lambda a, b: gwet_ac1([a, b]), lambda a, b: fleiss_kappa([a, b])]
)


@both
def test_full_agreement_is_one_without_doubt(measure):
    found = measure(A, A)
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((1, 1, 1))


@both
def test_order_of_readers_and_of_samples_does_not_matter(measure):
    shuffled = np.random.default_rng(0).permutation(A.size)
    for other in (measure(B, A), measure(A[shuffled], B[shuffled])):
        assert (other.value, other.ci_low, other.ci_high) == pytest.approx(
            (lambda e: (e.value, e.ci_low, e.ci_high))(measure(A, B))
        )


def test_kappa_is_that_of_statsmodels_up_to_the_small_sample_factor():
    from statsmodels.stats.inter_rater import cohens_kappa

    theirs = cohens_kappa(np.histogram2d(A, B, bins=3)[0])
    ours = cohen_kappa(A, B)
    assert ours.value == pytest.approx(theirs.kappa)
    error = (ours.ci_high - ours.value) / 2.030108  # t of 35 degrees of freedom
    assert error == pytest.approx(theirs.std_kappa * (36 / 35) ** 0.5, rel=1e-6)


def test_copies_of_a_patients_image_tell_nothing_new():
    patients = np.arange(A.size)
    once, thrice = gwet_ac1([A, B]), gwet_ac1([np.tile(A, 3), np.tile(B, 3)], patients=np.tile(patients, 3))
    assert (thrice.value, thrice.ci_low, thrice.ci_high) == pytest.approx((once.value, once.ci_low, once.ci_high))
    assert thrice.ci_method == "delta, patients"
    assert gwet_ac1([np.tile(A, 3), np.tile(B, 3)]).ci_low > once.ci_low


def test_a_rare_finding_breaks_kappa_and_not_ac1():
    a = np.r_[np.zeros(96, int), [1, 1, 0, 0]]
    b = np.r_[np.zeros(96, int), [0, 0, 1, 1]]
    assert cohen_kappa(a, b).value < 0  # 96 % agreement
    assert gwet_ac1([a, b]).value > 0.9


def test_a_sample_that_nobody_read_counts_for_nothing():
    a, b = np.r_[A, -1], np.r_[B, -1]
    assert gwet_ac1([a, b], patients=np.arange(37)).value == gwet_ac1([A, B]).value


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (lambda: cohen_kappa([1] * 30, [1] * 30), "both gave one and the same answer throughout"),
        (lambda: fleiss_kappa([[1] * 30, [1] * 30]), "one answer throughout"),
        (lambda: gwet_ac1([[0] * 30, [0] * 30]), "one answer throughout"),
        (lambda: gwet_ac1([[0, 1] * 15, [-1] * 30]), "no sample was read twice"),
        (lambda: cohen_kappa(A[:9], B[:9]), "n=9"),
        (lambda: gwet_ac1([A, B], patients=np.arange(36) % 8), "n=36 of 8 patients"),
    ],
)
def test_what_cannot_be_estimated_says_why(found, note):
    assert (found().status, found().note, found().value) == (Status.NOT_ESTIMABLE, note, None)


def test_ac1_of_one_answer_is_one_where_there_were_others_to_give():
    assert gwet_ac1([[0] * 30, [0] * 30], categories=2).value == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cohen_kappa([0, -1], [1, 1]), "needs an answer of both readers"),
        (lambda: fleiss_kappa([[0.5, 1.0]]), "ratings must be whole numbers"),
        (lambda: fleiss_kappa([0, 1]), "of shape"),
        (lambda: fleiss_kappa([[0, -2]]), "or -1 for not read; received -2"),
        (lambda: gwet_ac1([[0, 3], [0, 3]], categories=2), "codes up to 3, and categories is 2"),
        (lambda: obuchowski_rockette([[0.5], [0.6]], np.eye(2)), "at least two readers"),
        (lambda: obuchowski_rockette([[0.5, 0.6], [0.6, 0.7]], np.eye(2)), r"covariance must be \(4, 4\)"),
        (lambda: reader_study([0, 1], [[0.1, 0.2]]), r"shape \(2, readers, n\)"),
    ],
)
def test_bad_input_is_refused(call, said):
    with pytest.raises(MetricError, match=said):
        call()
