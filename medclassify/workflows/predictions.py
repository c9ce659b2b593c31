"""The predictions table: tidy, one row a sample and finding (docs/fit.md)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medclassify.calibration import PrevalenceShift, conformal_sets, shift_points, shift_probabilities
from medclassify.manifest import Manifest
from medclassify.records import ConformalRule, LogitTable, OperatingPoint, ProbabilityTable


def predictions_table(
    manifest: Manifest,
    logits: LogitTable,
    raw: ProbabilityTable,
    calibrated: ProbabilityTable,
    points: Sequence[OperatingPoint],
    rules: Sequence[ConformalRule] = (),
    shifts: Sequence[PrevalenceShift] = (),
    *,
    attributes: Sequence[str],
) -> pd.DataFrame:
    """Joins scores with truth and attributes on ``sample_id``.

    Args:
        manifest: Holds at least the samples that were scored.
        logits: (N, K).
        raw: Uncalibrated probabilities of the same samples.
        calibrated: Calibrated probabilities of the same samples.
        points: One operating point a finding.
        rules: One conformal rule a finding; without them there is no column ``conformal_set``.
        shifts: Corrections for another prevalence, of ``prob_cal`` and ``threshold`` alike: decisions and sets stay.
        attributes: Manifest columns to carry along.

    Returns:
        The columns of docs/fit.md, then attributes.
        ``target`` is missing where the label is unknown or uncertain.
    """
    facts = manifest.frame.set_index("sample_id").loc[list(logits.sample_ids)]
    threshold = {point.finding: point.threshold for point in shift_points(points, shifts)}
    shown = shift_probabilities(calibrated, shifts).probabilities
    rule = {each.finding: each for each in rules}
    tables = []
    for k, finding in enumerate(logits.findings):
        labels = facts[finding].astype("Int8") if finding in facts else pd.Series(pd.NA, facts.index, dtype="Int8")
        tables.append(
            pd.DataFrame(
                {
                    "sample_id": logits.sample_ids,
                    "patient_id": facts["patient_id"].to_numpy(),
                    "finding": finding,
                    "target": labels.where(labels >= 0).to_numpy(),
                    "logit": logits.logits[:, k],
                    "prob_raw": raw.probabilities[:, k],
                    "prob_cal": shown[:, k],
                    "threshold": threshold[finding],
                    "decision": shown[:, k] >= threshold[finding],
                    "split": facts["split"].to_numpy(),
                    **({"conformal_set": conformal_sets(calibrated.probabilities[:, k], rule[finding])} if rules else {}),
                    **{name: facts[name].to_numpy() for name in attributes},
                }
            )
        )
    order = np.arange(len(logits.sample_ids) * len(tables)).reshape(len(tables), -1).T.ravel()
    return pd.concat(tables, ignore_index=True).iloc[order].reset_index(drop=True)
