"""Predictions to review items: what a reader is asked to judge, each with a fingerprint of exactly that."""

import hashlib
import json

import numpy as np
import pandas as pd

from medclassify.errors import ReviewError
from medclassify.records import ReviewItem

KEY_COLUMNS = ("sample_id", "patient_id", "finding", "split")
SCORE_COLUMNS = ("target", "logit", "prob_raw", "prob_cal", "threshold", "decision")
OPTIONAL_COLUMNS = ("conformal_set",)


def build_items(predictions: pd.DataFrame, *, model_fingerprint: str) -> tuple[ReviewItem, ...]:
    """Makes one item of each row, in the order of the rows.

    Args:
        predictions: Rows of a predictions table that `check_predictions` has passed; usually those of one sample.
        model_fingerprint: SHA-256 of the model's weights, hex.

    Returns:
        The items. Equal rows of the same model give equal fingerprints; any other change gives another one.
    """
    rows = zip(
        predictions["sample_id"],
        predictions["finding"],
        predictions["prob_cal"],
        predictions["threshold"],
        predictions["decision"],
        strict=True,
    )
    return tuple(
        _item(str(sample_id), str(finding), float(probability), float(threshold), bool(decision), model_fingerprint)
        for sample_id, finding, probability, threshold, decision in rows
    )


def check_predictions(predictions: pd.DataFrame, where: str) -> None:
    """Refuses a table that cannot be put before a reader.

    Args:
        predictions: One row a sample and finding.
        where: The file it was read from, for the message.

    Raises:
        ReviewError: A column is missing, there are no rows, a sample's finding stands twice, a probability or threshold is
            blank or outside [0, 1], or a decision is not ``prob_cal >= threshold``.
    """
    missing = [name for name in (*KEY_COLUMNS, *SCORE_COLUMNS) if name not in predictions.columns]
    if missing:
        raise ReviewError(f"{where}: no column {', '.join(missing)}. Check the run with: medclassify verify RUN")
    if predictions.empty:
        raise ReviewError(f"{where}: no rows, so nothing to review. Check the run with: medclassify verify RUN")
    twice = predictions.duplicated(["sample_id", "finding"])
    if twice.any():
        first = predictions[twice].iloc[0]
        raise ReviewError(
            f"{where}: {int(twice.sum())} rows repeat a sample's finding (first: {first['sample_id']}, {first['finding']}). "
            "Keep one row a sample and finding."
        )
    for column in ("prob_cal", "threshold"):
        _check_share(predictions, column, where)
    _check_decisions(predictions, where)


def attribute_columns(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The attributes a table carries: every column that the predictions contract does not name, in table order."""
    return tuple(str(name) for name in predictions.columns if name not in (*KEY_COLUMNS, *SCORE_COLUMNS, *OPTIONAL_COLUMNS))


def _check_share(predictions: pd.DataFrame, column: str, where: str) -> None:
    values = predictions[column].astype("Float64").to_numpy(np.float64, na_value=np.nan)
    bad = ~((values >= 0) & (values <= 1))  # NaN compares false, so blanks are bad too
    if bad.any():
        first = predictions[bad].iloc[0]
        raise ReviewError(
            f"{where}: {int(bad.sum())} values of {column} are blank or outside [0, 1] "
            f"(first: {first[column]} for {first['sample_id']}, {first['finding']}). Score and calibrate these samples again."
        )


def _check_decisions(predictions: pd.DataFrame, where: str) -> None:
    blank = predictions["decision"].isna().to_numpy()
    called = predictions["decision"].fillna(False).astype(bool).to_numpy()
    expected = predictions["prob_cal"].to_numpy(np.float64) >= predictions["threshold"].to_numpy(np.float64)
    bad = blank | (called != expected)
    if bad.any():
        first = predictions[bad].iloc[0]
        raise ReviewError(
            f"{where}: {int(bad.sum())} decisions are not prob_cal >= threshold (first: {first['decision']} for "
            f"{first['sample_id']}, {first['finding']}: {first['prob_cal']:.6g} at {first['threshold']:.6g}). "
            "Check the run with: medclassify verify RUN"
        )


def _item(sample_id: str, finding: str, probability: float, threshold: float, decision: bool, model: str) -> ReviewItem:
    # JSON keeps the fields apart ("a", "b" is not "ab") and writes a float so that it reads back to the same bits.
    facts = json.dumps([sample_id, finding, probability, threshold, decision, model], allow_nan=False)
    return ReviewItem(sample_id, finding, probability, threshold, decision, hashlib.sha256(facts.encode()).hexdigest())
