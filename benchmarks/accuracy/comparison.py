"""Mean AUROC over seeds and differences of two arms, with intervals that fit how the test splits were made.

Where every seed has the same test samples (published lists), the models are fixed and patients are what varies: the interval is
Obuchowski's, of a mean of AUROCs that go together because they are of the same patients. Where each seed draws its splits, what
varies is the split: the interval is Student's over seeds with the variance of Nadeau & Bengio, for test sets of two seeds share
patients. (Obuchowski, Biometrics 53:567, 1997; Nadeau & Bengio, Machine Learning 52:239, 2003.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.scores import Scores
from benchmarks.harness import NotMeasurableError

if TYPE_CHECKING:
    from medclassify.records import Estimate

LEVEL = 0.95
PUBLISHED = "patients vary, Obuchowski"
DRAWN = "splits vary, Nadeau-Bengio"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds.

    Attributes:
        value: The mean.
        low: Lower limit of its 95 % interval.
        high: Upper limit.
        method: What the interval is about: ``PUBLISHED`` or ``DRAWN``.
        seeds: The value of each seed.
    """

    value: float
    low: float
    high: float
    method: str
    seeds: tuple[float, ...]

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def estimable(arms: Mapping[str, Sequence[Scores]]) -> tuple[str, ...]:
    """Findings whose AUROC can be estimated in every run (at least 5 with and 5 without, ``metrics.auroc``)."""
    from medclassify.records import Status

    runs = [run for scores in arms.values() for run in scores]
    found = []
    for finding in dict.fromkeys(name for run in runs for name in run.table["finding"]):
        if all(_estimate(run, finding).status is not Status.NOT_ESTIMABLE for run in runs):
            found.append(finding)
    return tuple(found)


def own_width(runs: Sequence[Scores], finding: str) -> float:
    """Mean width of the interval that each run alone would report."""
    estimates = [_estimate(run, finding) for run in runs]
    return float(np.mean([(each.ci_high or np.nan) - (each.ci_low or 0.0) for each in estimates]))


def mean_auroc(runs: Sequence[Scores], findings: Sequence[str]) -> Mean:
    """Mean over seeds of the AUROC, or of its mean over findings.

    Args:
        runs: One arm, a run a seed.
        findings: What to take the mean of.

    Raises:
        NotMeasurableError: Fewer than two seeds.
    """
    return _mean([(+1.0, run) for run in runs], findings, groups=1)


def difference(first: Sequence[Scores], second: Sequence[Scores], findings: Sequence[str]) -> Mean:
    """Mean over the seeds that both have of the difference of the two AUROCs on the same samples, first minus second.

    Raises:
        NotMeasurableError: Fewer than two common seeds, or two runs of one seed were scored on different samples.
    """
    others = {run.seed: run for run in second}
    pairs = [(run, others[run.seed]) for run in first if run.seed in others]
    for ours, theirs in pairs:
        if not _same_samples(ours, theirs):
            raise NotMeasurableError(f"seed {ours.seed}: two arms were scored on different samples")
    return _mean([signed for pair in pairs for signed in zip((+1.0, -1.0), pair, strict=True)], findings, groups=2)


def _mean(signed: list[tuple[float, Scores]], findings: Sequence[str], groups: int) -> Mean:
    count = len(signed) // groups
    if count < 2:
        raise NotMeasurableError(f"{count} seeds are finished; a mean with an interval needs two")
    signs = np.array([sign for sign, _ in signed])
    runs = [run for _, run in signed]
    areas = np.array([[_estimate(run, finding).value for run in runs] for finding in findings], np.float64)
    seeds = (areas.mean(axis=0) * signs).reshape(count, groups).sum(axis=1)
    value = float(seeds.mean())
    if all(_same_samples(runs[0], run) for run in runs):
        # over several findings the mean of the standard errors: the largest it can be, whatever their correlation
        error = float(np.mean([_obuchowski(runs, signs / count, finding) for finding in findings]))
        return Mean(value, *_limits(value, error * _normal(), bounded=groups == 1), PUBLISHED, tuple(seeds))
    shares = np.mean([run.test / run.train for run in runs])
    error = float(np.sqrt((1 / count + shares) * seeds.var(ddof=1)))
    return Mean(value, *_limits(value, error * _student(count - 1), bounded=groups == 1), DRAWN, tuple(seeds))


def _obuchowski(runs: Sequence[Scores], weights: NDArray[np.float64], finding: str) -> float:
    """Standard error of a weighted sum of AUROCs of the same samples."""
    from medclassify.metrics import auroc_covariance

    tables = [run.of(finding) for run in runs]
    first = tables[0]
    logits = np.stack([table["logit"].to_numpy(np.float64) for table in tables])
    _, covariance = auroc_covariance(first["target"], logits, patients=first["patient_id"].tolist())
    return float(np.sqrt(max(weights @ covariance @ weights, 0.0)))


def _limits(value: float, half: float, *, bounded: bool) -> tuple[float, float]:
    """An AUROC's interval is made on the logit scale, as everywhere in this library; a difference's is not."""
    if not bounded or not 0 < value < 1:
        return value - half, value + half
    centre, half = np.log(value / (1 - value)), half / (value * (1 - value))
    return float(1 / (1 + np.exp(half - centre))), float(1 / (1 + np.exp(-half - centre)))


def _estimate(run: Scores, finding: str) -> "Estimate":
    from medclassify.metrics import auroc

    table = run.of(finding)
    return auroc(table["target"], table["logit"], patients=table["patient_id"].tolist())


def _same_samples(first: Scores, second: Scores) -> bool:
    keys = ["sample_id", "finding", "target"]
    return first.table[keys].equals(second.table[keys])


def _normal() -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2))


def _student(df: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + LEVEL) / 2))
