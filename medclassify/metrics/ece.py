"""Expected calibration error, never without the values that a perfectly calibrated model would show."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medclassify.errors import MetricError
from medclassify.metrics.cells import cell_status, join_notes, not_estimable
from medclassify.metrics.checks import Patients, ScoredSamples, check_count, check_level, predicted
from medclassify.records import Estimate, Status

Binning = Literal["width", "mass"]
_BLOCK_SIGNS = 1 << 18


def ece(
    y: ArrayLike,
    p: ArrayLike,
    *,
    bins: int = 15,
    binning: Binning = "width",
    patients: Patients = None,
    level: float = 0.95,
    simulations: int = 2000,
    seed: int = 0,
) -> Estimate:
    """The mean distance of observed share and mean probability over bins of p, weighted by bin size.

    It is above 0 for a perfect model too, and the more so the smaller the sample. ``ci_low`` and ``ci_high`` are
    therefore not a confidence interval: they hold the null band, the central ``level`` share of what a calibrated
    model of this size shows, and ``ci_method`` says so. A value inside the band is no evidence of miscalibration.

    The band draws labels from the probabilities, bin by bin (the sum of a bin is taken as binomial around its mean p).
    Where patients repeat, the residuals of each patient change sign together as well (wild bootstrap by patient), and the
    band is that of the two which reaches farther: the first knows nothing of patients, the second nothing of labels that
    were no surprise.

    Args:
        y: (n,) of 0 and 1.
        p: float64 (n,) in [0, 1].
        bins: How many bins.
        binning: Bins of equal ``width``, or of equal ``mass`` (equal p stay together).
        patients: (n,) ids, or None where no patient repeats.
        level: Share of the null band.
        simulations: How many draws make the band, at least 100.
        seed: Seed of the draws.

    Returns:
        ``not_estimable`` below 5 positives or negatives, ``unstable`` below 20.

    Raises:
        MetricError: The input cannot be scored.

    Source:
        Guo et al., ICML (2017); the bias: Kumar, Liang & Ma, NeurIPS (2019); the band: Bröcker & Smith, Weather and
        Forecasting 22:651 (2007); the binomial: Ehm, Statistics & Probability Letters 11:7 (1991).
    """
    samples = predicted(y, p, patients)
    check_level(level)
    check_count(simulations, 100, "simulations")
    status, note = cell_status(samples)
    if status is Status.NOT_ESTIMABLE:
        return not_estimable(note)
    index = bin_index(samples.score, bins, binning)
    residuals = np.bincount(index, weights=samples.positive - samples.score)
    generator = np.random.default_rng(seed)
    nulls = [_drawn(samples, index, simulations, generator)]
    if samples.patients is not None:
        nulls.append(_turned(samples, index, simulations, generator))
    ends = [(1 - level) / 2, (1 + level) / 2]
    null = max(nulls, key=lambda each: float(np.quantile(each, ends[1])))
    low, high = np.quantile(null, ends)
    said = f"a calibrated model of this size shows {low:.3f} to {high:.3f}, on average {null.mean():.3f}"
    value = float(np.abs(residuals).sum() / samples.score.size)
    return Estimate(value, float(low), float(high), "null band (no confidence interval)", status, join_notes(note, said))


def debiased_calibration_error(y: ArrayLike, p: ArrayLike, *, bins: int = 15, binning: Binning = "mass") -> float:
    """The root mean squared calibration error over bins, less what chance adds to it.

    From each bin's squared distance its binomial variance ȳ(1 − ȳ)/(n − 1) is taken; what is left may be below 0 and is 0
    then. Unlike ``ece`` it may be compared between samples of different size. Samples are taken as independent.

    Args:
        y: (n,) of 0 and 1, n ≥ 1.
        p: float64 (n,) in [0, 1].
        bins: How many bins.
        binning: Bins of equal ``mass`` or ``width``.

    Raises:
        MetricError: The input cannot be scored, or is empty.

    Source:
        Kumar, Liang & Ma, NeurIPS (2019), definition 4.1.
    """
    samples = predicted(y, p)
    if not samples.score.size:
        raise MetricError("y must hold at least one sample for a calibration error; received none.")
    index = bin_index(samples.score, bins, binning)
    size = np.bincount(index)
    share = np.bincount(index, weights=samples.positive) / size
    mean = np.bincount(index, weights=samples.score) / size
    squared = (share - mean) ** 2 - share * (1 - share) / np.maximum(size - 1, 1)
    return float(max(0.0, size @ squared / samples.score.size) ** 0.5)


def bin_index(p: NDArray[np.float64], bins: int, binning: Binning) -> NDArray[np.intp]:
    """The bin of each probability: intp (n,), numbered from 0 without gaps, so that every bin holds a sample.

    Raises:
        MetricError: ``bins`` or ``binning`` is out of range.
    """
    check_count(bins, 1, "bins")
    if binning == "width":
        index = np.minimum((p * bins).astype(np.intp), bins - 1)
    elif binning == "mass":
        index = np.searchsorted(np.quantile(p, np.arange(1, bins) / bins), p, side="left")
    else:
        raise MetricError(f"binning must be 'width' or 'mass'; received {binning!r}.")
    return np.unique(index, return_inverse=True)[1].reshape(-1)


def _drawn(
    samples: ScoredSamples, index: NDArray[np.intp], simulations: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """ECE of labels that are drawn from the probabilities, one by one: float64 (simulations,)."""
    size, expected = np.bincount(index), np.bincount(index, weights=samples.score)
    drawn = generator.binomial(size, np.clip(expected / size, 0, 1), size=(simulations, size.size))
    return np.abs(drawn - expected).sum(axis=1) / samples.score.size


def _turned(
    samples: ScoredSamples, index: NDArray[np.intp], simulations: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """ECE where the residuals of each patient keep or change their sign together: float64 (simulations,)."""
    residuals = np.zeros((samples.n_patients, int(index.max()) + 1))
    np.add.at(residuals, (samples.codes, index), samples.positive - samples.score)
    block = max(1, _BLOCK_SIGNS // samples.n_patients)
    sums = []
    for start in range(0, simulations, block):
        heads = generator.integers(0, 2, (min(block, simulations - start), samples.n_patients), dtype=np.int8)
        sums.append((2.0 * heads - 1.0) @ residuals)
    return np.abs(np.concatenate(sums)).sum(axis=1) / samples.score.size
