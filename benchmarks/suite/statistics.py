"""Intervals of an audit: patients resampled by weights on scores sorted once, against scikit-learn and fairlearn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Measure, NotMeasurableError, interleave

if TYPE_CHECKING:
    import pandas as pd

CORES = 1
AUDIT_CORES = 2
SAMPLES, QUICK_SAMPLES = 100_000, 1_000
FINDINGS = 14
SUBGROUPS = {"sex": 2, "age_band": 5, "view": 3, "site": 10}
"""With the whole set, 21 groups."""

Cell = tuple[Any, Any, Any]
"""Truth, score and patients' codes."""


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    return {
        "bootstrap_vs_sklearn": lambda: bootstrap_vs_sklearn(quick),
        "bootstrap_auprc_vs_sklearn": lambda: bootstrap_auprc_vs_sklearn(quick),
        "bootstrap_vs_fairlearn": lambda: bootstrap_vs_fairlearn(quick),
        "audit_seconds_100k": lambda: audit_seconds_100k(quick),
        "audit_peak_gib": lambda: audit_peak_gib(quick),
    }


def bootstrap_vs_sklearn(quick: bool) -> Measure:
    """Seconds that a resample of the AUROC of every finding in every group takes, theirs ÷ ours.

    Ours is what the audit does with the cells of its table, as many resamples as it takes, sorting and drawing included. Theirs
    are the cells of three findings, and counted for all: each costs the same.
    """
    from sklearn.metrics import roc_auc_score

    from medclassify import metrics

    def ours(cells: list[Cell], resamples: int) -> None:
        metrics.replicate([metrics.WeightedAuroc(*cell) for cell in cells], SAMPLES, resamples=resamples, seed=0)

    return _against_sklearn("bootstrap_vs_sklearn", ours, roc_auc_score, quick)


def bootstrap_auprc_vs_sklearn(quick: bool) -> Measure:
    """The same of average precision, with its intervals: ``auprc_cells``."""
    from sklearn.metrics import average_precision_score

    return _against_sklearn("bootstrap_auprc_vs_sklearn", _our_auprc, average_precision_score, quick)


def _against_sklearn(
    key: str, ours: Callable[[list[Cell], int], None], score_of: Callable[[Any, Any], float], quick: bool
) -> Measure:
    import numpy as np

    findings, slice_of_them = (1, 1) if quick else (FINDINGS, 3)
    cells = _cells(predictions(findings))
    part, generator = cells[: len(cells) * slice_of_them // findings], np.random.default_rng(1)

    def theirs() -> None:
        for target, score, _ in part:
            drawn = generator.integers(0, len(target), len(target))
            score_of(target[drawn], score[drawn])

    said = f"{score_of.__name__} on the cells of {slice_of_them} of {findings} findings, {len(cells)} cells in all"
    return _against(key, partial(ours, cells), theirs, said, theirs_resamples=slice_of_them / findings, quick=quick)


def bootstrap_vs_fairlearn(quick: bool) -> Measure:
    """The same of one finding, against ``MetricFrame`` with its own bootstrap, an attribute at a time."""
    import numpy as np
    from sklearn.metrics import average_precision_score

    try:
        from fairlearn.metrics import MetricFrame  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NotMeasurableError("fairlearn is not there: pip install fairlearn") from error

    frame, drawn = predictions(1), 2
    target, score = frame["target"].to_numpy(np.int64), frame["prob_cal"].to_numpy(np.float64)

    def theirs() -> None:
        for attribute in SUBGROUPS:
            groups, resampling = frame[attribute], {"n_boot": drawn, "ci_quantiles": [0.025, 0.975], "random_state": 1}
            metric = {"metrics": average_precision_score, "y_true": target, "y_pred": score}
            MetricFrame(**metric, sensitive_features=groups, **resampling)

    cells = _cells(frame)
    said = f"fairlearn, average precision, {len(cells)} cells"
    # beside its resamples it computes the figures themselves once
    return _against("bootstrap_vs_fairlearn", partial(_our_auprc, cells), theirs, said, theirs_resamples=drawn + 1, quick=quick)


def _cells(frame: pd.DataFrame) -> list[Cell]:
    """Truth, score and patients of every finding in every group, as the audit has them."""
    from medclassify.audit.cells import finding_cells
    from medclassify.audit.table import audit_table

    return [
        (cell.positive, cell.score, cell.patients)
        for each in finding_cells(audit_table(frame, list(SUBGROUPS)))
        for cell in (each.whole, *(cell for levels in each.groups.values() for cell in levels.values()))
    ]


def _our_auprc(cells: list[Cell], resamples: int) -> None:
    from medclassify.metrics import auprc_cells

    auprc_cells(cells, resamples=resamples, seed=0)


def _against(
    key: str, ours: Callable[[int], None], theirs: Callable[[], None], said: str, *, theirs_resamples: float, quick: bool
) -> Measure:
    resamples, rounds = (500 if quick else 2000), 3
    timing = interleave({"ours": lambda: ours(resamples), "theirs": theirs}, rounds=rounds, least_seconds=1.0)
    ratios = [
        (slow / theirs_resamples) / (fast / resamples)
        for fast, slow in zip(timing["ours"].seconds, timing["theirs"].seconds, strict=True)
    ]
    note = (
        f"{SAMPLES} patients; {said}: {theirs_resamples:.3g} resamples {timing['theirs']}, "
        f"ours with {resamples} resamples {timing['ours']}, {rounds} interleaved rounds"
    )
    return Measure(key, statistics.median(ratios), 150, "higher", note, min(ratios), max(ratios))


def audit_seconds_100k(quick: bool) -> Measure:
    """Wall time of the whole command, from reading the table to the written report."""
    ran = audited(_samples(quick))
    return Measure("audit_seconds_100k", ran.seconds, None, "lower", ran.note, ran.seconds, ran.seconds)


def audit_peak_gib(quick: bool) -> Measure:
    """Largest resident memory of that command."""
    ran = audited(_samples(quick))
    return Measure("audit_peak_gib", ran.peak_gib, 4, "lower", ran.note, ran.peak_gib, ran.peak_gib)


@dataclass(frozen=True, slots=True)
class Audited:
    """One ``medclassify audit`` in a process of its own."""

    seconds: float
    peak_gib: float
    note: str


@cache
def audited(samples: int) -> Audited:
    """Runs the command on two cores; its lines of progress go to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "theirs.parquet"
        predictions(FINDINGS, samples).to_parquet(table)
        program = f"import os; os.sched_setaffinity(0, range({AUDIT_CORES})); from medclassify.cli import main; main()"
        words = ["audit", "--predictions", str(table), "--attributes", ",".join(SUBGROUPS)]
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", program, *words])
        _, state, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        if state:
            raise NotMeasurableError(f"medclassify audit ended with exit code {os.waitstatus_to_exitcode(state)}")
        rows = len((table.with_name("theirs-audit") / "estimates.csv").read_text(encoding="utf-8").splitlines()) - 1
    note = (
        f"{samples} patients, {FINDINGS} findings, {sum(SUBGROUPS.values())} groups, 2000 resamples, {AUDIT_CORES} cores, "
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time: {rows} estimates, gaps and report, one run of the command"
    )
    return Audited(seconds, used.ru_maxrss / 2**20, note)


def _samples(quick: bool) -> int:
    return QUICK_SAMPLES if quick else SAMPLES


def predictions(findings: int, samples: int = SAMPLES) -> pd.DataFrame:
    """A predictions table of so many patients: rare findings, calibrated probabilities, 21 groups."""
    import numpy as np
    import pandas as pd
    from scipy.special import expit

    generator = np.random.default_rng(0)
    sample_id = np.char.add("s", np.arange(samples).astype(str))
    groups = {name: np.char.add(name, generator.integers(0, count, samples).astype(str)) for name, count in SUBGROUPS.items()}
    tables = []
    for number in range(findings):
        logit = generator.normal(-2.5, 1.5, samples)
        probability = expit(logit)
        target = (generator.random(samples) < probability).astype(np.float64)
        tables.append(
            pd.DataFrame(
                {
                    "sample_id": sample_id,
                    "patient_id": sample_id,
                    "finding": f"finding {number}",
                    "target": target,
                    "logit": logit,
                    "prob_raw": probability,
                    "prob_cal": probability,
                    "threshold": 0.2,
                    "decision": (probability >= 0.2).astype(np.int8),
                    "split": "test",
                    **groups,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
