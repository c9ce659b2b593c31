import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from medclassify.calibration import conformal_from_json, conformal_sets, conformal_to_json, fit_conformal
from medclassify.errors import CalibrationError
from medclassify.records import ConformalRule, ProbabilityTable, Split


def table(p) -> ProbabilityTable:
    p = np.asarray(p, np.float64).reshape(len(p), -1)
    names = tuple(f"f{k}" for k in range(p.shape[1]))
    return ProbabilityTable(tuple(f"s{n}" for n in range(len(p))), names, p, "c" * 64)


def fit(p, y, patients=None, alpha=0.1, **options) -> ConformalRule:
    y = np.asarray(y, np.float64).reshape(len(p), -1)
    patients = [f"p{n}" for n in range(len(p))] if patients is None else patients
    return fit_conformal(table(p), y, np.ones(y.shape, bool), patients, alpha=alpha, **options)[0]


def test_the_limits_are_the_kth_scores_of_each_class():
    # 19 positives at alpha .1: k = ceil(20 * .9) = 18, the 18th highest probability; 9 negatives: k = ceil(10 * .9) = 9.
    p = np.r_[np.linspace(0.05, 0.95, 19), np.linspace(0.01, 0.09, 9)]
    rule = fit(p, np.r_[np.ones(19), np.zeros(9)])
    assert (rule.present_from, rule.absent_to) == (np.sort(p[:19])[1], 0.09)
    assert (rule.n_pos, rule.n_neg, rule.warning) == (19, 9, "")


def test_too_few_samples_keep_the_label_for_everyone_and_say_so():
    rule = fit(np.linspace(0.1, 0.9, 28), np.r_[np.zeros(20), np.ones(8)])  # k = ceil(9 * .9) = 9 > 8
    assert rule.present_from is None
    assert rule.absent_to is not None
    assert rule.warning == (
        "f0: 'present' always possible: 8 and 20 patients with and without the finding, and alpha 0.1 needs 9 of each"
    )
    assert set(conformal_sets(np.array([0.0, 0.2, 1.0]), rule)) <= {"present", "refer"}
    assert fit(np.linspace(0.1, 0.9, 29), np.r_[np.zeros(20), np.ones(9)]).warning == ""


def test_the_four_sets():
    apart = ConformalRule("f", 0.1, 0.6, 0.4, Split.CALIBRATE, 50, 50)
    assert conformal_sets(np.array([0.4, 0.5, 0.6]), apart).tolist() == ["absent", "none", "present"]
    overlapping = ConformalRule("f", 0.1, 0.2, 0.7, Split.CALIBRATE, 50, 50)
    assert conformal_sets(np.array([0.1, 0.2, 0.7, 0.71]), overlapping).tolist() == ["absent", "refer", "refer", "present"]


@pytest.mark.parametrize("prevalence", [0.05, 0.3])
def test_each_class_is_covered_on_new_samples(prevalence):
    """Marginal sets would cover the rare class far less; 200 draws of a calibrate split of 600."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = rng.random(n) < prevalence
        return special.expit(1.5 * (rng.normal(size=n) + 1.5 * y - 1)), y

    hits = {True: [], False: []}
    for _ in range(200):
        p, y = draw(600)
        sets = conformal_sets((new := draw(400))[0], fit(p, y))
        for label, name in ((True, "present"), (False, "absent")):
            hits[label].append(np.isin(sets[new[1] == label], [name, "refer"]).mean())
    for label in (True, False):
        assert 0.895 < np.mean(hits[label]) < 0.945  # between 1 - alpha and 1 - alpha + 1/(n + 1)


def test_repeated_images_of_a_patient_count_once():
    """The promise is for a new patient's image: 20 images of one patient must not set the limits."""
    rng = np.random.default_rng(1)
    p, y = np.r_[rng.uniform(0.3, 1, 40), rng.uniform(0, 0.5, 40)], np.r_[np.ones(40), np.zeros(40)]
    patients = [f"p{n}" for n in range(80)]
    alone = fit(p, y, patients)
    many = fit(np.r_[p, np.full(200, 0.001)], np.r_[y, np.ones(200)], [*patients, *["p0"] * 200])
    assert many.n_pos == 40
    assert many.present_from >= np.sort(p[:40])[2]  # one patient moves it by one place at most
    assert alone.present_from == np.sort(p[:40])[3]
    assert fit(np.r_[p, np.full(200, 0.001)], np.r_[y, np.ones(200)]).present_from == 0.001  # as if all were strangers


def test_clustered_calibrate_sets_cover_a_new_patient():
    """Patients of 1 to 8 images that are alike; a new patient's image is covered though images within one are copies."""
    rng = np.random.default_rng(2)

    def draw(n):
        sizes = rng.integers(1, 9, n)
        level = np.repeat(rng.normal(size=n), sizes)
        return special.expit(level + 0.1 * rng.normal(size=sizes.sum())), np.repeat(np.arange(n), sizes)

    covered = []
    for _ in range(200):
        p, owners = draw(30)
        rule = fit(p, np.ones(p.size), [f"p{n}" for n in owners])
        new, _ = draw(60)
        covered.append(np.isin(conformal_sets(new, rule), ["present", "refer"]).mean())
    assert np.mean(covered) > 0.885  # 0.903 promised, ± 0.004


def test_which_image_of_a_patient_counts_does_not_hang_on_the_order_of_rows():
    rng = np.random.default_rng(3)
    p, y = rng.random((200, 1)), (rng.random((200, 1)) < 0.5).astype(float)
    patients = np.array([f"p{n // 4}" for n in range(200)])
    ids, order = tuple(f"s{n}" for n in range(200)), rng.permutation(200)
    first = fit_conformal(ProbabilityTable(ids, ("a",), p, "c"), y, np.ones(y.shape, bool), patients.tolist(), alpha=0.2)
    shuffled = ProbabilityTable(tuple(ids[n] for n in order), ("a",), p[order], "c")
    assert fit_conformal(shuffled, y[order], np.ones(y.shape, bool), patients[order].tolist(), alpha=0.2) == first


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=30, max_size=60), st.floats(0.05, 0.5), st.floats(0.01, 0.4))
def test_smaller_alpha_never_takes_a_label_away(p, alpha, less):
    p, y = np.array(p), np.arange(len(p)) % 2
    wide, narrow = fit(p, y, alpha=alpha * less), fit(p, y, alpha=alpha)
    for low, high in ((wide, narrow),):
        assert low.present_from is None or low.present_from <= (2 if high.present_from is None else high.present_from)
        assert low.absent_to is None or low.absent_to >= (-1 if high.absent_to is None else high.absent_to)


def test_masked_labels_never_enter():
    rng = np.random.default_rng(4)
    p, y, mask = rng.random(300), (rng.random(300) < 0.4).astype(float), rng.random(300) < 0.6
    patients = [f"p{n}" for n in range(300)]
    found = fit_conformal(table(p), np.where(mask, y, np.nan)[:, None], mask[:, None], patients, alpha=0.1)[0]
    alone = fit(p[mask], y[mask])
    assert (found.present_from, found.absent_to) == (alone.present_from, alone.absent_to)


def test_json_gives_back_equal_rules():
    rules = (fit(*_mixed()), fit(np.linspace(0, 1, 20), np.r_[np.ones(3), np.zeros(17)]))
    assert conformal_from_json(json.loads(json.dumps(conformal_to_json(rules, rules[:1])))) == (rules, rules[:1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "test"}, "a conformal rule must not be chosen on the test split"),
        ({"present_from": 1.5}, r"present_from 1.5 of f0 lies outside \[0, 1\]"),
        ({"n_pos": None, "extra": 1}, "conformal JSON is incomplete or changed"),
    ],
)
def test_changed_json_is_refused(change, message):
    value = conformal_to_json([fit(*_mixed())])
    value["rules"][0] |= change
    with pytest.raises(CalibrationError, match=message):
        conformal_from_json(value)


def test_what_does_not_fit_is_refused():
    p, y = _mixed()
    with pytest.raises(CalibrationError, match="a conformal rule must not be chosen on the test split"):
        fit(p, y, split=Split.TEST)
    for alpha in (0, 1, -0.1):
        with pytest.raises(CalibrationError, match=f"alpha must lie between 0 and 1 .* received {alpha}"):
            fit(p, y, alpha=alpha)
    with pytest.raises(CalibrationError, match="patients must have one id a sample: expected 60, received 2"):
        fit(p, y, ["a", "b"])


def _mixed():
    rng = np.random.default_rng(5)
    return rng.random(60), (np.arange(60) % 2).astype(float)
