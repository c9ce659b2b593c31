"""Does an attribute give the finding away? Prevalence by subgroup, the attribute as a predictor, the model within its levels.

A view, site or age that goes with the finding lets a network score well without seeing the finding. Three numbers side by
side show it: the AUROC of the attribute alone, the model's AUROC, and the model's AUROC among samples of the same level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medclassify import metrics
from medclassify.audit.cells import Cell, finding_cells
from medclassify.audit.table import AuditTable
from medclassify.audit.words import estimate_text, number, p_value
from medclassify.records import Estimate, Status

ALARM_RATIO = 2.0
ALARM_AUROC = 0.60
SHOWN_P = 0.05
_LEAST_LEVEL = 20
"""A prevalence from fewer samples takes no part in the ratio: one positive more would double it."""


@dataclass(frozen=True, slots=True)
class Confounding:
    """One finding and one attribute.

    Attributes:
        finding: The finding.
        attribute: The attribute.
        levels: (subgroup, samples, positives) of each level.
        p: χ² test of equal prevalence, corrected for repeated patients; None where there are too few positives.
        ratio: Highest over lowest prevalence among levels of 20 samples or more (infinite where the lowest is 0); None where
            p is, for a ratio of so few is chance.
        alone: AUROC of the attribute as the only predictor, its levels ranked by their prevalence here: at best.
        model: The model's AUROC over all samples.
        within: The model's AUROC over pairs of samples of the same level.
    """

    finding: str
    attribute: str
    levels: tuple[tuple[str, int, int], ...]
    p: float | None
    ratio: float | None
    alone: Estimate
    model: Estimate
    within: Estimate

    @property
    def alarm(self) -> bool:
        """Prevalence differs so much here that overall AUROC and subgroup gaps may be inflated by it.

        Size alone decides: a difference that a small sample cannot show with a small p can mislead a network all the same.
        """
        telling = self.alone.value is not None and self.alone.value >= ALARM_AUROC
        return telling or (self.ratio is not None and self.ratio >= ALARM_RATIO)

    @property
    def shown(self) -> bool:
        """The sample shows a difference of prevalence, and not only chance."""
        return self.p is not None and self.p < SHOWN_P

    @property
    def drop(self) -> float | None:
        """How much of the model's AUROC is gone among samples of the same level."""
        if self.model.value is None or self.within.value is None:
            return None
        return self.model.value - self.within.value

    @property
    def line(self) -> str:
        """The warning in words."""
        shares = sorted(((n_pos / n, level) for level, n, n_pos in self.levels if n >= _LEAST_LEVEL), reverse=True)
        spread = ""
        if len(shares) >= 2:
            (high, most), (low, least) = shares[0], shares[-1]
            spread = f" ({most} {number(high, 'prevalence')}, {least} {number(low, 'prevalence')})"
        texts = [estimate_text(one, "auroc", n_pos=0, n_neg=0) for one in (self.alone, self.model, self.within)]
        name = self.attribute.replace("_", " ")
        p = p_value(self.p)
        return (
            f"{self.finding} goes with {name}{spread}, p {p if p.startswith('<') else f'= {p}'}: {name} alone predicts it with "
            f"AUROC {texts[0]}; the model reaches {texts[1]} overall and {texts[2]} among samples of the same {name}."
        )


def confounding_rows(table: AuditTable, *, bootstrap: int, seed: int) -> list[Confounding]:
    """Looks at every finding and attribute.

    Args:
        table: The checked predictions.
        bootstrap: Patient resamples of the AUROC within levels.
        seed: Their seed.
    """
    pairs = [
        (each.whole, attribute, [cell for cell in groups.values() if cell.n], each.n_patients)
        for each in finding_cells(table)
        if each.whole.n
        for attribute, groups in each.groups.items()
    ]
    within = _within([(levels, n_patients) for _, _, levels, n_patients in pairs], bootstrap, seed)
    return [_row(whole, attribute, levels, one) for (whole, attribute, levels, _), one in zip(pairs, within, strict=True)]


def prevalence_p(levels: Sequence[Cell]) -> float | None:
    """χ² test of equal prevalence; divided by the design effect where a patient has several samples.

    Source: Rao & Scott 1981, JASA 76:221 (first-order correction).
    """
    n = np.array([cell.n for cell in levels], dtype=np.float64)
    n_pos = np.array([cell.n_pos for cell in levels], dtype=np.float64)
    share = n_pos.sum() / n.sum()
    if len(levels) < 2 or min(n_pos.sum(), (n - n_pos).sum()) < 10:
        return None
    chi2 = float((((n_pos - n * share) ** 2) / (n * share * (1 - share))).sum())
    deviations = np.concatenate([cell.positive - cell.n_pos / cell.n for cell in levels])
    sums = np.bincount(np.concatenate([cell.patients for cell in levels]), weights=deviations)
    binomial = float((deviations**2).sum())
    design_effect = max(1.0, float((sums**2).sum()) / binomial) if binomial > 0 else 1.0
    return float(special.chdtrc(len(levels) - 1, chi2 / design_effect))


def _row(whole: Cell, attribute: str, levels: Sequence[Cell], within: Estimate) -> Confounding:
    large = [cell.n_pos / cell.n for cell in levels if cell.n >= _LEAST_LEVEL]
    ratio = None
    p = prevalence_p(levels)
    if p is not None and len(large) >= 2 and max(large) > 0:
        ratio = max(large) / min(large) if min(large) > 0 else float("inf")
    return Confounding(
        whole.finding,
        attribute,
        tuple((cell.subgroup, cell.n, cell.n_pos) for cell in levels),
        p,
        ratio,
        _alone(levels),
        metrics.auroc(whole.positive, whole.score, patients=whole.patients),
        within,
    )


def _alone(levels: Sequence[Cell]) -> Estimate:
    positive = np.concatenate([cell.positive for cell in levels])
    share = np.concatenate([np.full(cell.n, cell.n_pos / cell.n) for cell in levels])
    return metrics.auroc(positive, share, patients=np.concatenate([cell.patients for cell in levels]))


def _within(cuts: Sequence[tuple[Sequence[Cell], int]], bootstrap: int, seed: int) -> list[Estimate]:
    """The AUROC within levels of each cut of a finding by an attribute; patients are drawn once for all."""
    statistics: dict[int, WithinLevels] = {}
    for place, (levels, n_patients) in enumerate(cuts):
        if min(_mixed_counts(levels)) >= metrics.MIN_CELL:
            statistics[place] = WithinLevels([cell for cell in levels if cell.n_pos and cell.n_neg], n_patients)
    n_patients = max((n for _, n in cuts), default=0)
    drawn = metrics.replicate(list(statistics.values()), n_patients, resamples=bootstrap, seed=seed)
    rows = dict(zip(statistics, drawn, strict=True))
    return [
        _with_interval(levels, statistics[place], rows[place]) if place in rows else _too_few(levels)
        for place, (levels, _) in enumerate(cuts)
    ]


def _with_interval(levels: Sequence[Cell], statistic: "WithinLevels", drawn: NDArray[np.float64]) -> Estimate:
    found = metrics.percentiles(drawn)
    n_pos, n_neg = _mixed_counts(levels)
    status = Status.OK if min(n_pos, n_neg) >= metrics.STABLE_CELL else Status.UNSTABLE
    return Estimate(statistic.value, found.low, found.high, found.method, status, found.note)


def _too_few(levels: Sequence[Cell]) -> Estimate:
    n_pos, n_neg = _mixed_counts(levels)
    return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, f"n_pos={n_pos}" if n_pos <= n_neg else f"n_neg={n_neg}")


def _mixed_counts(levels: Sequence[Cell]) -> tuple[int, int]:
    """Positives and negatives in levels that hold both: only they make pairs."""
    mixed = [cell for cell in levels if cell.n_pos and cell.n_neg]
    return sum(cell.n_pos for cell in mixed), sum(cell.n_neg for cell in mixed)


class WithinLevels:
    """AUROC over pairs of the same level: the levels' AUROCs weighted by their pairs, for every resample of patients."""

    def __init__(self, levels: Sequence[Cell], n_patients: int) -> None:
        self._aurocs = [metrics.WeightedAuroc(cell.positive, cell.score, cell.patients) for cell in levels]
        self._counts = [
            np.stack(
                [np.bincount(cell.patients[rows], minlength=n_patients) for rows in (cell.positive, ~cell.positive)], axis=1
            )
            for cell in levels
        ]

        self.value = float(self(np.ones((1, n_patients), np.uint16))[0])

    def __call__(self, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Computes float64 (b,) from counts uint16 (b, n_patients); NaN where no pair was drawn."""
        drawn = counts.astype(np.float64)
        pairs = np.stack([(drawn @ classes).prod(axis=1) for classes in self._counts])
        areas = np.nan_to_num(np.stack([auroc(counts) for auroc in self._aurocs]))
        total = pairs.sum(axis=0)
        return np.divide((areas * pairs).sum(axis=0), total, out=np.full(total.size, np.nan), where=total > 0)
