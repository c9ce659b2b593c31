"""Drift of what is read: input, the model's scores and readers' disagreement with it, by week and site."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ReviewError
from medclassify.metrics import MIN_DENOMINATOR
from medclassify.metrics.score_shift import score_shift
from medclassify.records import Presence
from medclassify.review.source import ReviewRun
from medclassify.review.statistics import ALL, share
from medclassify.review.worklist import MISSING


def drift(run: ReviewRun, table: pd.DataFrame, finding: str, *, site: str = "site") -> pd.DataFrame:
    """Compares what was read each week, as a whole and by site, with all samples of the same splits.

    A week is the ISO week in which a reading was opened. Where readers take the least certain samples first, early weeks differ
    from the rest by that alone: read by subgroup or priority where weeks are to be compared.

    Args:
        run: The run.
        table: Of `review.answers`, of all readers.
        finding: The finding.
        site: The attribute that names the site; where the run has none, there is one row a week.

    Returns:
        ``week, site, n`` (samples), ``input`` (the attribute whose distribution differs most), ``input_distance`` (total
        variation, 0 to 1) with ``input_limit`` (what 95 of 100 draws of that many samples stay below), ``score_psi`` and
        ``score_ks`` with their limits, ``drifted`` (one of these is beyond its limit), ``disagreement`` (share of answers that
        end unlike the model's call) with ``ci_low`` and ``ci_high``. Figures of fewer than 10 samples are blank.

    Raises:
        ReviewError: The finding is unknown.
    """
    if finding not in run.findings:
        raise ReviewError(f"finding {finding!r} is not in this run. Choose one of: {', '.join(run.findings)}.")
    own = table.loc[(table["finding"] == finding) & table["decision"].notna() & table["final_presence"].notna()]
    opened = pd.to_datetime(own["opened_at"], utc=True, format="ISO8601").dt.isocalendar()
    own = own.assign(week=opened["year"].astype(str) + "-W" + opened["week"].astype(str).str.zfill(2))
    all_of = run.predictions.loc[(run.predictions["finding"] == finding) & run.predictions["split"].isin(own["split"].unique())]
    attributes = [name for name in run.attributes if name != site]
    rows = []
    for week, part in own.groupby("week", sort=True):
        rows.append({"week": week, "site": ALL, **_compare(all_of, part, [*attributes, *_present(run, site)])})
        if site in run.attributes:
            for name, here in part.groupby(part[site].astype("string").fillna(MISSING), sort=True):
                there = all_of.loc[all_of[site].astype("string").fillna(MISSING) == name]
                rows.append({"week": week, "site": name, **_compare(there, here, attributes)})
    return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    "week", "site", "n", "input", "input_distance", "input_limit", "score_psi", "score_psi_limit", "score_ks", "score_ks_limit",
    "drifted", "disagreement", "ci_low", "ci_high",
)  # fmt: skip


def _present(run: ReviewRun, site: str) -> list[str]:
    return [site] if site in run.attributes else []


def _compare(reference: pd.DataFrame, answers: pd.DataFrame, attributes: list[str]) -> dict[str, object]:
    samples = answers.drop_duplicates("sample_id")
    n = len(samples)
    calls = (answers["final_presence"] != Presence.ABSENT.value).to_numpy(bool)
    differs = calls != answers["decision"].to_numpy(bool)
    found = share(differs, answers["patient_id"].tolist())
    row: dict[str, object] = {"n": n, "drifted": False}
    row |= {"disagreement": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}
    if n < MIN_DENOMINATOR:
        return row
    shift = score_shift(
        reference["prob_cal"].to_numpy(np.float64),
        samples["prob_cal"].to_numpy(np.float64),
        patients1=reference["patient_id"].tolist(),
        patients2=samples["patient_id"].tolist(),
    )
    row |= {"score_psi": shift.psi, "score_psi_limit": shift.psi_limit, "score_ks": shift.ks, "score_ks_limit": shift.ks_limit}
    distances = [(*_distance(reference[name], samples[name]), name) for name in attributes]
    distance, limit, name = max(distances, key=lambda each: each[0] - each[1], default=(0.0, 1.0, ""))
    beyond = any(far > most for far, most, _ in distances)
    return row | {"input": name, "input_distance": distance, "input_limit": limit, "drifted": beyond or shift.beyond_chance}


def _distance(reference: pd.Series, here: pd.Series) -> tuple[float, float]:
    """Total variation between two distributions of an attribute, and what chance alone reaches in 95 of 100 draws."""
    shares = reference.astype("string").fillna(MISSING).value_counts(normalize=True)
    counts = here.astype("string").fillna(MISSING).value_counts()
    names = shares.index.union(counts.index)
    expected = shares.reindex(names, fill_value=0.0).to_numpy(np.float64)
    n = int(counts.sum())
    drawn: NDArray[np.float64] = np.random.default_rng(0).multinomial(n, expected / expected.sum(), 400) / n
    limit = float(np.quantile(np.abs(drawn - expected).sum(axis=1) / 2, 0.95))
    return float(np.abs(counts.reindex(names, fill_value=0).to_numpy(np.float64) / n - expected).sum() / 2), limit
