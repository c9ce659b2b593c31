"""Two classifiers on the same samples."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify import metrics
from medclassify.comparison.pairing import Pair
from medclassify.comparison.rows import DifferenceRow, Place, difference_row, holm_adjusted, two_values
from medclassify.metrics.gap import Gap, bootstrap_gap
from medclassify.metrics.paired_rates import paired_rate_gap
from medclassify.records import Estimate, Status


@dataclass(frozen=True, slots=True)
class Reclassified:
    """How decisions moved between the two, among the samples with and without a finding.

    Attributes:
        finding: The finding.
        present: The samples with the finding, or those without it.
        both: Called by both.
        only_a: Called by the first alone.
        only_b: Called by the second alone.
        neither: Called by neither.
    """

    finding: str
    present: bool
    both: int
    only_a: int
    only_b: int
    neither: int


def paired_rows(pair: Pair, *, margin: float, bootstrap: int, seed: int) -> list[DifferenceRow]:
    """Compares on the shared samples, overall and in every subgroup: second minus first.

    AUROC by paired DeLong (Obuchowski where a patient repeats), sensitivity and specificity at each one's own frozen
    threshold by Newcombe's paired interval (patient bootstrap where a patient repeats), Brier score by patient bootstrap.

    Args:
        pair: Tables that share samples.
        margin: Differences whose 95 % interval lies within ±margin are equal within it.
        bootstrap: Patient resamples.
        seed: Their seed.
    """
    rows: list[DifferenceRow] = []
    is_probability = all(table.is_probability for table in pair.tables)
    for place, samples in _places(pair):
        rows += _rows(place, samples, margin, bootstrap, seed, is_probability)
    return holm_adjusted(rows)


def reclassification(pair: Pair) -> list[Reclassified]:
    """The table of calls, for findings on which both have decisions."""
    assert pair.joined is not None
    decided = pair.joined.dropna(subset=["decision_a", "decision_b"])
    rows = []
    for finding in pair.findings:
        for present in (True, False):
            part = decided[(decided["finding"] == finding) & (decided["target"] == int(present))]
            a, b = part["decision_a"] == 1, part["decision_b"] == 1
            if len(part):
                counts = (int(each.sum()) for each in (a & b, a & ~b, ~a & b, ~a & ~b))
                rows.append(Reclassified(finding, present, *counts))
    return rows


def _places(pair: Pair) -> Iterator[tuple[Place, pd.DataFrame]]:
    assert pair.joined is not None
    for finding in pair.findings:
        whole = pair.joined[pair.joined["finding"] == finding]
        groups = [("all", "all", whole)]
        groups += [(name, level, whole[whole[name] == level]) for name, levels in pair.levels.items() for level in levels]
        for attribute, level, samples in groups:
            counts = len(samples), int((samples["target"] == 1).sum())
            yield Place(finding, attribute, level, counts, counts), samples


def _rows(
    place: Place, samples: pd.DataFrame, margin: float, bootstrap: int, seed: int, is_probability: bool
) -> list[DifferenceRow]:
    if samples.empty:
        nothing = Gap(Estimate(None, None, None, "", Status.NOT_ESTIMABLE, "no shared labelled sample"), None)
        return [difference_row(place, "auroc", (None, None), nothing, margin)]
    positive = samples["target"].to_numpy() == 1
    a, b = samples["score_a"].to_numpy(dtype=np.float64), samples["score_b"].to_numpy(dtype=np.float64)
    patients = pd.factorize(samples["patient_id"])[0]
    gap = metrics.delong_paired(positive, b, a, patients=patients)
    values = (metrics.auroc(positive, each, patients=patients).value for each in (a, b))
    rows = [difference_row(place, "auroc", two_values(values), gap, margin)]
    decided = samples.dropna(subset=["decision_a", "decision_b"])
    for metric, present in (("sensitivity", 1), ("specificity", 0)) if len(decided) else ():
        part = decided[decided["target"] == present]
        right = [(part[f"decision_{side}"] == present).to_numpy() for side in "ab"]
        gap = paired_rate_gap(
            right[1], right[0], patients=pd.factorize(part["patient_id"])[0], resamples=bootstrap, seed=seed,
            name="n_pos" if present else "n_neg",
        )  # fmt: skip
        shown = gap.estimate.value is not None
        values = (float(each.mean()) if shown else None for each in right)
        rows.append(difference_row(place, metric, two_values(values), gap, margin))
    if is_probability:
        rows.append(_brier_row(place, positive, (a, b), patients, margin, bootstrap, seed))
    return rows


def _brier_row(
    place: Place,
    positive: NDArray[np.bool_],
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    patients: NDArray[np.intp],
    margin: float,
    bootstrap: int,
    seed: int,
) -> DifferenceRow:
    """The mean change of the squared error, patients resampled."""
    a, b = (metrics.brier(positive, score, patients=patients) for score in scores)
    if a.value is None or b.value is None:
        return difference_row(place, "brier", (None, None), Gap(a, None), margin)
    change = (scores[1] - positive) ** 2 - (scores[0] - positive) ** 2
    n_patients = int(patients.max()) + 1
    summed = np.bincount(patients, weights=change, minlength=n_patients).astype(np.float64)[:, None]
    counted = np.bincount(patients, minlength=n_patients).astype(np.float64)[:, None]
    drawn = metrics.replicate_ratios(summed, counted, resamples=bootstrap, seed=seed)[0]
    value = float(change.mean())
    same = Gap(Estimate(value, value, value, "no sample differs", a.status, a.note), 1.0)
    return difference_row(
        place, "brier", (a.value, b.value), bootstrap_gap(value, drawn, 0.95, a.status, a.note) or same, margin
    )
