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
from medclassify.audit.replicates import Replicates, ranked, replicate_table
from medclassify.audit.table import AuditTable
from medclassify.audit.words import estimate_text, number, p_value
from medclassify.metrics.ranks import placements
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


def confounding_rows(
    table: AuditTable, *, bootstrap: int, seed: int, replicates: Replicates | None = None
) -> list[Confounding]:
    """Looks at every finding and attribute; crossed ones are left out, for their parts tell.

    Args:
        table: The checked predictions.
        bootstrap: Patient resamples of the AUROC within levels.
        seed: Their seed.
        replicates: Of the table's figures, where they are at hand.
    """
    cells = list(finding_cells(table))
    drawn = replicates or replicate_table(table, cells, standardise=(), bootstrap=bootstrap, seed=seed)
    rows = []
    for each in cells:
        for attribute, groups in each.groups.items():
            levels = [cell for cell in groups.values() if cell.n]
            if each.whole.n and attribute not in table.intersections:
                rows.append(_row(each.whole, attribute, levels, within_levels(levels, drawn)))
    return rows


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


def within_levels(levels: Sequence[Cell], replicates: Replicates) -> Estimate:
    """AUROC over pairs of the same level: the levels' AUROCs weighted by their pairs, here and on every resample."""
    n_pos, n_neg = _mixed_counts(levels)
    if min(n_pos, n_neg) < metrics.MIN_CELL:
        note = f"n_pos={n_pos}" if n_pos <= n_neg else f"n_neg={n_neg}"
        return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, note)
    mixed = [cell for cell in levels if ranked(cell)]
    areas = np.array([placements(cell.positive, cell.score).auroc for cell in mixed])[:, None]
    pairs = np.array([cell.n_pos * cell.n_neg for cell in mixed], dtype=np.float64)[:, None]
    drawn = {name: np.stack([_of(replicates, cell, name) for cell in mixed]) for name in ("auroc", "n_pos", "n_neg")}
    found = metrics.percentiles(_weighted(drawn["auroc"], drawn["n_pos"] * drawn["n_neg"]))
    status = Status.OK if min(n_pos, n_neg) >= metrics.STABLE_CELL else Status.UNSTABLE
    return Estimate(float(_weighted(areas, pairs)[0]), found.low, found.high, found.method, status, found.note)


def _weighted(areas: NDArray[np.float64], pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over levels, (b,), from (levels, b); NaN where no pair was drawn."""
    total = pairs.sum(axis=0)
    return np.divide((np.nan_to_num(areas) * pairs).sum(axis=0), total, out=np.full(total.size, np.nan), where=total > 0)


def _of(replicates: Replicates, cell: Cell, name: str) -> NDArray[np.float64]:
    found = replicates.of(cell, name)
    assert found is not None
    return found


def _mixed_counts(levels: Sequence[Cell]) -> tuple[int, int]:
    """Positives and negatives in levels that hold both: only they make pairs."""
    mixed = [cell for cell in levels if ranked(cell)]
    return sum(cell.n_pos for cell in mixed), sum(cell.n_neg for cell in mixed)
