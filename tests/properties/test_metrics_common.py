"""What every public statistic must do, by one table of them: order, monotone transforms, flipped labels, copies, ties."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from medclassify import metrics
from medclassify.records import Estimate

few = {"resamples": 100, "seed": 0}


@dataclass(frozen=True)
class Metric:
    """One statistic of labels and scores, and which properties it has."""

    name: str
    call: Callable[..., Estimate | float]
    ranks: bool = False
    flips: Callable[[float], float] | None = None
    copies: bool = True

    def value(self, y: np.ndarray, p: np.ndarray) -> float:
        found = self.call(y, p)
        value = found.value if isinstance(found, Estimate) else found
        assert value is not None
        return float(value)


def rate(name: str, y: np.ndarray, p: np.ndarray) -> Estimate:
    return metrics.rates(y, p >= 0.4)[name]


def part(name: str, y: np.ndarray, p: np.ndarray) -> float:
    return getattr(metrics.brier_parts(y, p), name)


METRICS = [
    Metric("auroc", metrics.auroc, ranks=True, flips=lambda value: value),
    Metric("auprc", partial(metrics.auprc, **few), ranks=True),
    Metric("hand_till", lambda y, p: metrics.hand_till(y.astype(int), np.stack([1 - p, p], axis=1), **few), flips=lambda v: v),
    Metric("brier", metrics.brier, flips=lambda value: value),
    Metric("miscalibration", partial(part, "miscalibration"), flips=lambda value: value),
    Metric("discrimination", partial(part, "discrimination"), ranks=True, flips=lambda value: value),
    Metric("ece width", partial(metrics.ece, simulations=100), flips=lambda value: value),
    Metric("ece mass", partial(metrics.ece, simulations=100, binning="mass"), copies=False),  # quantiles lie between samples
    Metric("debiased", partial(metrics.debiased_calibration_error, binning="width"), flips=lambda value: value, copies=False),
    Metric("intercept", metrics.calibration_intercept, flips=lambda value: -value),
    Metric("slope", metrics.calibration_slope, flips=lambda value: value),
    Metric("oe_ratio", metrics.oe_ratio),
    Metric("net benefit", lambda y, p: float(metrics.decision_curve(y, p, [0.3]).net_benefit[0])),
    *(Metric(name, partial(rate, name)) for name in metrics.RATES),
]
by_name = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@pytest.fixture(params=["distinct", "ties"])
def table(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    p = rng.uniform(0.02, 0.98, 400)
    if request.param == "ties":
        p = np.round(p, 2) + 0.0031  # on no bin's edge, from either side
    return (rng.random(400) < p).astype(np.int64), p


@by_name
def test_order_does_not_matter(metric, table):
    y, p = table
    shuffled = np.random.default_rng(1).permutation(y.size)
    assert metric.value(y[shuffled], p[shuffled]) == pytest.approx(metric.value(y, p), abs=1e-9)


@by_name
def test_a_monotone_transform_matters_to_probabilities_only(metric, table):
    y, p = table
    same = metric.value(y, p**3) == pytest.approx(metric.value(y, p), abs=1e-12)
    assert same == (metric.ranks or metric.name == "hand_till")


@by_name
def test_the_opposite_label_with_the_opposite_score(metric, table):
    y, p = table
    if metric.flips is not None:
        assert metric.value(1 - y, 1 - p) == pytest.approx(metric.flips(metric.value(y, p)), abs=1e-6)
    else:
        assert metric.value(1 - y, 1 - p) != pytest.approx(metric.value(y, p), abs=1e-6)


@by_name
def test_copies_of_all_samples_change_no_value(metric, table):
    y, p = table
    same = metric.value(np.tile(y, 3), np.tile(p, 3)) == pytest.approx(metric.value(y, p), abs=1e-9)
    assert same == metric.copies


@by_name
def test_one_ulp_moves_nothing_but_a_tie(metric, table):
    """Raised by the smallest step there is, one score changes no value by more than its rank among its ties can."""
    y, p = table
    moved = p.copy()
    moved[17] = np.nextafter(moved[17], 1)
    assert metric.value(y, moved) == pytest.approx(metric.value(y, p), abs=0.01)


def test_every_public_function_of_labels_and_scores_is_in_the_table():
    elsewhere = {  # of two groups, of two scores, of counts, of replicates, of readers; points of a curve; checks
        "adjusted_p", "auprc_cells", "auprc_from", "auroc_covariance", "auroc_gap", "clopper_pearson", "cohen_kappa",
        "corp_curve", "cross_aurocs", "delong_paired", "delong_unpaired", "draw_patients", "equalised_odds_difference",
        "expected_auroc_interval", "fleiss_kappa", "gwet_ac1", "labelled", "max_t", "newcombe_interval",
        "obuchowski_rockette", "patient_codes", "percentiles", "rate_gaps", "reader_study", "reliability_bins", "replicate",
        "replicate_each", "replicate_ratios", "roc_curve_points", "wilson", "worst_group_gap",
    }  # fmt: skip
    tested = {"auroc", "auprc", "hand_till", "brier", "brier_parts", "ece", "debiased_calibration_error", "oe_ratio"}
    tested |= {"calibration_intercept", "calibration_slope", "decision_curve", "rates"}
    functions = {name for name in metrics.__all__ if callable(getattr(metrics, name)) and name.islower()}
    assert functions == tested | elsewhere
