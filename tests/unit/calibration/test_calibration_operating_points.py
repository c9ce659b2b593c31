import json

import numpy as np
import pytest
from scipy import special

from medclassify.calibration import choose_operating_points, operating_points_from_json, operating_points_to_json
from medclassify.errors import CalibrationError
from medclassify.records import ProbabilityTable, Split


def table(p: np.ndarray) -> ProbabilityTable:
    columns = np.asarray(p, np.float64).reshape(len(p), -1)
    return ProbabilityTable(
        tuple(f"s{n}" for n in range(len(p))), tuple(f"f{k}" for k in range(columns.shape[1])), columns, "c" * 64
    )


def choose(p, y, **options):
    """The operating point of one finding."""
    y = np.asarray(y, np.float64).reshape(len(p), -1)
    return choose_operating_points(table(p), y, np.ones(y.shape, bool), **options)[0]


def rare(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = special.expit(rng.normal(-4, 1.3, n))
    return p, rng.random(n) < p


@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("digits", [8, 2])
def test_sensitivity_is_held_by_the_highest_threshold_that_can_at_no_cost(target, digits):
    p, y = rare()
    p = np.round(p, digits)
    point = choose(p, y, criterion="sensitivity", target=target)
    sensitivity = lambda threshold: (p >= threshold)[y].mean()  # noqa: E731
    assert sensitivity(point.threshold) >= target
    calls = lambda threshold: (p >= threshold)[~y].sum()  # noqa: E731
    holding = max(threshold for threshold in np.unique(p[y]) if sensitivity(threshold) >= target)
    assert calls(point.threshold) == calls(holding)
    assert all(calls(threshold) > calls(holding) for threshold in p[y & (p < point.threshold)])
    assert point.threshold not in p[p > p.min()]  # midway between two probabilities: no sample stands on the edge
    assert point.criterion == f"sensitivity >= {target:.2f}"
    assert (point.split, point.n_pos, point.n_neg) == (Split.CALIBRATE, int(y.sum()), int((~y).sum()))


@pytest.mark.parametrize("target", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("digits", [8, 2])
def test_specificity_is_held_by_the_lowest_cut_that_can(target, digits):
    p, y = rare()
    p = np.round(p, digits)
    point = choose(p, y, criterion="specificity", target=target)
    specificity = lambda threshold: (p < threshold)[~y].mean()  # noqa: E731
    assert specificity(point.threshold) >= target
    lower = np.unique(p[p < point.threshold])[-1]
    assert specificity(lower) < target
    assert point.threshold not in p  # midway between two probabilities: no sample stands on the edge


def test_specificity_between_neighbours_in_float64():
    below = 0.25
    above = np.nextafter(below, 1)
    point = choose([0.1, below, above, above], [0, 0, 1, 1], criterion="specificity", target=0.9)
    assert point.threshold == above


def test_youden_is_the_greatest_sum_and_the_lowest_such_threshold():
    p, y = rare()
    point = choose(p, y, criterion="youden")
    gain = lambda threshold: (p >= threshold)[y].mean() + (p < threshold)[~y].mean()  # noqa: E731
    assert gain(point.threshold) >= max(gain(threshold) for threshold in np.unique(p)) - 1e-12
    tied = choose([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], criterion="youden")
    assert tied.threshold == pytest.approx(0.15)


def test_a_share_that_is_whole_is_not_rounded_up():
    p = np.linspace(0.1, 0.9, 10)
    point = choose(np.r_[p, 0.15], np.r_[np.ones(10), 0], target=0.9)
    assert (p >= point.threshold).sum() == 9


def test_a_threshold_goes_down_as_far_as_it_costs_no_negative():
    """Eleven of twelve would do; at .97 another effusion of .95 would be missed though every negative is below .2."""
    positives, negatives = np.r_[np.full(11, 0.97), 0.95], np.linspace(0, 0.2, 20)
    probabilities, labels = np.r_[positives, negatives], np.r_[np.ones(12), np.zeros(20)]
    assert choose(probabilities, labels, target=0.9).threshold == pytest.approx((0.95 + 0.2) / 2)
    assert choose(np.r_[probabilities, 0.96], np.r_[labels, 0], target=0.9).threshold == pytest.approx((0.97 + 0.96) / 2)


@pytest.mark.parametrize(
    "options", [{"criterion": "sensitivity"}, {"criterion": "youden"}, {"criterion": "cost", "cost_ratio": 2}]
)
def test_where_classes_are_far_apart_the_threshold_stands_in_the_middle(options):
    """And not at the edge of the positives: an image of .99 would be called negative, though no negative is above .001."""
    assert choose([0.999, 1.0, 0.0, 0.001], [1, 1, 0, 0], **options).threshold == pytest.approx(0.5)


def test_a_probability_on_the_threshold_is_called():
    below = np.nextafter(0.3, 0)  # nothing lies between
    point = choose([0.3, 0.3, 0.3, below], [1, 1, 1, 0], target=0.9)
    assert point.threshold == 0.3


def test_a_rare_finding_does_not_get_one_half():
    """Trap: 0.5 or argmax for a rare finding."""
    p, y = rare()
    for criterion in ("sensitivity", "youden"):
        point = choose(p, y, criterion=criterion)
        assert point.threshold < 0.1
        assert (p >= point.threshold)[y].mean() > 0.6
    assert (p >= 0.5)[y].mean() < 0.2


def test_the_test_split_is_refused():
    """Trap: a threshold chosen on test."""
    with pytest.raises(CalibrationError, match="an operating point must not be chosen on the test split"):
        choose(*rare(), split=Split.TEST)


def test_masked_labels_never_enter():
    p, y = rare(500)
    mask = np.random.default_rng(1).random(500) < 0.7
    everything = choose_operating_points(table(p), np.where(mask, y, np.nan)[:, None], mask[:, None])[0]
    assert everything == choose(p[mask], y[mask])


def test_no_positive_holds_a_specificity_and_says_so():
    p = np.linspace(0.01, 0.99, 100)
    for criterion in ("sensitivity", "youden", "specificity"):
        point = choose(p, np.zeros(100), criterion=criterion, target=0.8)
        assert point.criterion == "specificity >= 0.90"
        assert (p < point.threshold).mean() == 0.9
        assert (
            point.warning
            == "f0: no positive in the split: the threshold holds a specificity of 0.90; its sensitivity is not known"
        )
        assert point.n_pos == 0


def test_no_negative_holds_a_sensitivity_and_says_so():
    p = np.linspace(0.01, 0.99, 100)
    point = choose(p, np.ones(100), criterion="specificity")
    assert point.criterion == "sensitivity >= 0.90"
    assert (p >= point.threshold).sum() == 90
    assert "no negative in the split" in point.warning


def test_no_label_calls_nothing_and_says_so():
    points = choose_operating_points(table([0.2, 0.9]), np.full((2, 1), np.nan), np.zeros((2, 1), bool))
    assert (points[0].threshold, points[0].criterion) == (1.0, "certainty")
    assert points[0].warning.startswith("f0: no label in the split: nothing but a probability of 1 is called")


def test_few_positives_are_warned_of_with_what_they_can_tell():
    rng = np.random.default_rng(0)
    y = np.r_[np.ones(8), np.zeros(200)]
    p = np.clip(0.3 * rng.random(208) + 0.3 * y, 0, 1)
    assert choose(p, y).warning == "f0: chosen from 8 positives: the true sensitivity may be anything from 0.68 to 1.00"
    assert choose(1 - p, 1 - y, criterion="specificity").warning.startswith("f0: chosen from 8 negatives: the true specificity")
    assert "8 positives" in choose(p, y, criterion="youden").warning
    assert choose(p, y, criterion="specificity").warning == ""


def test_a_threshold_that_calls_all_or_nothing_is_warned_of():
    everything = choose(np.r_[np.full(30, 0.1), np.full(30, 0.5)], np.r_[np.ones(30), np.zeros(30)])
    assert everything.warning == "f0: it calls every negative of the split"
    nothing = choose(np.r_[np.full(30, 0.1), np.full(30, 0.5)], np.r_[np.ones(30), np.zeros(30)], criterion="specificity")
    assert nothing.threshold > 0.5
    assert nothing.warning == "f0: it calls no positive of the split"


def test_what_a_held_rate_costs_is_told_where_it_is_more_than_half():
    y = np.r_[np.ones(40), np.zeros(50)]
    low = np.r_[np.linspace(0.2, 0.9, 40), np.linspace(0.1, 0.5, 50)]
    assert choose(low, y).warning == "f0: it calls 56% of the negatives of the split too"
    assert choose(low, y, target=0.5).warning == ""
    assert choose(1 - low, 1 - y, criterion="specificity").warning.startswith("f0: it calls only ")


def test_certain_negatives_make_a_specificity_impossible():
    point = choose(np.r_[np.full(30, 1.0), np.full(30, 1.0)], np.r_[np.ones(30), np.zeros(30)], criterion="specificity")
    assert point.threshold == 1.0
    assert "a specificity of 0.90 cannot be held: too many negatives have a probability of 1" in point.warning


@pytest.mark.parametrize("target", [0, 1, 90, -0.1])
def test_a_target_is_a_share(target):
    with pytest.raises(CalibrationError, match=r"target must lie between 0 and 1 \(0\.90 for 90 %\); received"):
        choose(*rare(), target=target)


def test_an_unknown_criterion_is_refused():
    with pytest.raises(
        CalibrationError, match="criterion must be 'sensitivity', 'specificity', 'youden' or 'cost'; received 'accuracy'"
    ):
        choose(*rare(), criterion="accuracy")


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(CalibrationError, match=r"targets must have a row for each sample .* received \(2, 1\)"):
        choose_operating_points(table([0.1, 0.2, 0.3]), np.zeros((2, 1)), np.ones((3, 1), bool))


def test_json_gives_thresholds_back_bit_for_bit():
    p, y = rare()
    points = choose_operating_points(
        table(np.stack([p, p**0.5], axis=1)), np.stack([y, y], axis=1).astype(float), np.ones((len(p), 2), bool)
    )
    written = operating_points_to_json(points)
    assert (written["kind"], written["schema_version"], written["points"][1]["split"]) == ("operating_points", 1, "calibrate")
    assert operating_points_from_json(json.loads(json.dumps(written, allow_nan=False))) == points


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: None, "operating_points JSON expected; received 'NoneType'"),
        (lambda c: c | {"schema_version": 0}, "schema version 0; this program reads 1"),
        (lambda c: c | {"points": [{"finding": "x"}]}, "operating_points JSON is incomplete or changed"),
        (lambda c: c | {"points": [c["points"][0] | {"threshold": 1.5}]}, r"threshold 1\.5 of f0 lies outside \[0, 1\]"),
        (lambda c: c | {"points": [c["points"][0] | {"threshold": None}]}, "operating_points JSON is incomplete or changed"),
        (lambda c: c | {"points": [c["points"][0] | {"split": "test"}]}, "must not be chosen on the test split"),
        (
            lambda c: {k: v for k, v in c.items() if k != "points"},
            r"operating_points JSON is incomplete or changed \('points'\)",
        ),
    ],
)
def test_json_that_is_something_else_is_refused(change, message):
    written = operating_points_to_json((choose(*rare()),))
    with pytest.raises(CalibrationError, match=message):
        operating_points_from_json(change(written))


@pytest.mark.parametrize("ratio", [0.5, 1, 10, 100])
@pytest.mark.parametrize("digits", [8, 2])
def test_cost_is_the_least_over_every_threshold(ratio, digits):
    p, y = rare()
    p = np.round(p, digits)
    point = choose(p, y, criterion="cost", cost_ratio=ratio)
    cost = lambda threshold: ratio * (y & (p < threshold)).sum() + (~y & (p >= threshold)).sum()  # noqa: E731
    assert cost(point.threshold) == min(cost(threshold) for threshold in np.r_[np.unique(p), 1.0])
    assert point.criterion == f"least cost, a missed finding as {ratio:g} false alarms"


def test_of_equal_costs_the_lowest_threshold_misses_fewest():
    # Called from .2: two false alarms. Called from .4: one missed, no false alarm. At a ratio of 2 both cost 2.
    given = [0.2, 0.3, 0.35, 0.4], [1, 0, 0, 1]
    assert choose(*given, criterion="cost", cost_ratio=2).threshold == 0.2
    assert choose(*given, criterion="cost", cost_ratio=1.99).threshold == pytest.approx(0.375)


def test_where_calling_nobody_costs_least_nobody_is_called_and_it_is_said():
    point = choose([0.2, 0.6, 0.7, 0.8], [1, 0, 0, 0], criterion="cost", cost_ratio=1)
    assert point.threshold == np.nextafter(0.8, 1)
    assert "it calls no positive of the split" in point.warning


def test_well_calibrated_probabilities_have_the_threshold_of_decision_theory():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    point = choose(p, rng.random(p.size) < p, criterion="cost", cost_ratio=4)
    assert point.threshold == pytest.approx(1 / (1 + 4), abs=0.03)


@pytest.mark.parametrize("ratio", [None, 0, -1, 2000, float("nan")])
def test_a_cost_needs_a_ratio(ratio):
    with pytest.raises(CalibrationError, match=f"cost_ratio must be 0.001–1000 .*; received {ratio}"):
        choose(*rare(), criterion="cost", cost_ratio=ratio)
