"""Which patient belongs to which split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.config import FractionsConfig
from medclassify.errors import SplitError
from medclassify.manifest.stratify import stratify
from medclassify.manifest.table import Manifest
from medclassify.records import Split


def assign_splits(
    manifest: Manifest,
    *,
    fractions: FractionsConfig | Mapping[str, float],
    seed: int,
    mode: Literal["auto", "random"] = "auto",
    together: Sequence[tuple[str, str]] = (),
) -> Manifest:
    """Gives every sample a split; all samples of a patient get the same.

    Patients are drawn so that positives and unlabelled patients of each finding, and patients with few and with many images,
    have the same share in each split (``stratify``). The draw depends on the seed and the samples' ids, not on the order of
    rows nor on the key of the patient hash.

    Published splits are kept with ``auto``: only what they lack of tune, calibrate and test is drawn, out of their train
    patients and in proportion. A sample without a published split follows its patient, or counts as train.

    Args:
        manifest: With ``split`` as published or empty.
        fractions: Share of patients in each split.
        seed: Of the draw.
        mode: ``random`` forgets published splits.
        together: Pairs of samples that show one picture; their patients are drawn as one. A published split is not changed.

    Returns:
        The manifest with every ``split`` filled, and a note of what was done.

    Raises:
        SplitError: The fractions do not fit, or there are fewer patients than splits.
    """
    shares = _checked(fractions)
    if mode not in ("auto", "random"):
        raise SplitError(f"data.split must be auto or random, received {mode!r}.")
    split = manifest.frame["split"].astype("str")
    unit = _drawn_as_one(manifest.frame, together)
    if mode == "random" or split.isna().all():
        drawn, note = _draw(manifest, unit, pd.Series(True, index=split.index), shares, seed)
        note = f"split: drawn with seed {seed}; {note}"
    else:
        drawn, note = _complete(manifest, unit, split, shares, seed)
    return replace(manifest, frame=manifest.frame.assign(split=drawn), notes=(*manifest.notes, note))


def check_splits(manifest: Manifest) -> list[str]:
    """Refuses splits that cannot be learnt from, and names those that cannot be measured on.

    Args:
        manifest: With every split filled.

    Returns:
        One line for each finding that has one class only in tune, calibrate or test.

    Raises:
        SplitError: A split is empty, or a finding has one class only in train.
    """
    frame = manifest.frame
    counts = frame["split"].value_counts()
    empty = [split.value for split in Split if split.value not in counts.index]
    if empty:
        raise SplitError(
            f"{manifest.source}: split {empty[0]} is empty ({frame['patient_id'].nunique()} patients in all). "
            f"Give more patients, or change data.fractions."
        )
    targets, mask = manifest.targets()
    warnings = []
    for split in Split:
        rows = (frame["split"] == split.value).to_numpy(dtype=bool)
        for column, finding in enumerate(manifest.findings):
            labelled = targets[rows & mask[:, column], column]
            positives, negatives = int(labelled.sum()), int((1 - labelled).sum())
            if positives and negatives:
                continue
            text = f"{finding} has one class only in {split.value} ({positives} positive, {negatives} negative)"
            if split is Split.TRAIN:
                raise SplitError(f"{manifest.source}: {text}. Leave it out of data.findings, or add images of the other class.")
            warnings.append(f"{text}: what is measured there is not estimable.")
    return warnings


def _checked(fractions: FractionsConfig | Mapping[str, float]) -> dict[Split, float]:
    given = asdict(fractions) if isinstance(fractions, FractionsConfig) else dict(fractions)
    unknown = sorted(given.keys() - {split.value for split in Split})
    if unknown:
        raise SplitError(f"data.fractions.{unknown[0]} is not a split; splits are train, tune, calibrate and test.")
    shares = {split: float(given.get(split.value, 0.0)) for split in Split}
    wrong = next((split for split, share in shares.items() if not 0 <= share <= 1), None)
    if wrong is not None:
        raise SplitError(f"data.fractions.{wrong.value} must lie between 0 and 1, received {shares[wrong]:g}.")
    if abs(sum(shares.values()) - 1) > 1e-6:
        text = " + ".join(f"{share:g}" for share in shares.values())
        raise SplitError(
            f"data.fractions must add up to 1, received {text} = {sum(shares.values()):g} (train, tune, calibrate, test)."
        )
    if shares[Split.TRAIN] == 0:
        raise SplitError("data.fractions.train is 0: there would be nothing to learn from.")
    return shares


def _complete(
    manifest: Manifest, unit: pd.Series, split: pd.Series, shares: dict[Split, float], seed: int
) -> tuple[pd.Series, str]:
    """Keeps published splits and draws what they lack out of train."""
    of_patient = pd.DataFrame({"patient": manifest.frame["patient_id"], "split": split}).dropna().drop_duplicates("patient")
    followed = split.fillna(manifest.frame["patient_id"].map(of_patient.set_index("patient")["split"]).astype("str"))
    there = set(split.dropna())
    pool = followed.isna() | (followed == Split.TRAIN.value)
    lacking = {which: share for which, share in shares.items() if share > 0 and which.value not in there - {Split.TRAIN.value}}
    blank = int(split.isna().sum())
    note = f"split: published ({', '.join(f'{name} {n}' for name, n in split.value_counts().items())} images)"
    note += f"; {blank} images without one follow their patient or count as train" if blank else ""
    if not pool.any():
        return followed, note + "."
    drawn, how = _draw(manifest, unit, pool, lacking, seed)
    return followed.where(~pool, drawn), f"{note}; its train patients were divided with seed {seed}: {how}"


def _drawn_as_one(frame: pd.DataFrame, together: Sequence[tuple[str, str]]) -> pd.Series:
    """Who is drawn with whom: each sample's patient, one name for all patients that pairs of samples join."""
    patient = frame["patient_id"]
    of_sample = dict(zip(frame["sample_id"], patient, strict=True))
    joined: dict[str, str] = {}

    def leader(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for first, second in together:
        one, other = leader(of_sample[first]), leader(of_sample[second])
        if one != other:
            joined[other] = one
    return patient.map(lambda name: leader(name)) if joined else patient


def _draw(manifest: Manifest, unit: pd.Series, pool: pd.Series, shares: dict[Split, float], seed: int) -> tuple[pd.Series, str]:
    """Draws a split for the samples in ``pool``; the samples of a unit (a patient, or several) stay together."""
    active = [split for split, share in shares.items() if share > 0]
    frame = manifest.frame[pool].assign(unit=unit[pool]).sort_values("sample_id")
    codes, patients = pd.factorize(frame["unit"])
    if len(patients) < len(active):
        raise SplitError(
            f"{manifest.source}: {len(patients)} patients cannot fill {len(active)} splits "
            f"({', '.join(active)}). Give more patients, or set a share in data.fractions to 0."
        )
    # The first sample of a patient stands for it: unlike the hashed id it does not depend on the key file.
    first = frame["sample_id"][~frame["unit"].duplicated()]
    order = np.argsort([hashlib.sha256(f"{seed}\x1f{sample}".encode()).hexdigest() for sample in first], kind="stable")
    weights = np.array([shares[split] for split in active])
    of_patient = np.empty(len(patients), np.int64)
    of_patient[order] = stratify(_patient_labels(frame, codes, manifest.findings)[order], weights / weights.sum())
    counts = frame["patient_id"].groupby(of_patient[codes]).nunique().reindex(range(len(active)), fill_value=0)
    note = ", ".join(f"{split.value} {n}" for split, n in zip(active, counts, strict=True)) + " patients."
    names = np.array([split.value for split in active])[of_patient[codes]]
    return pd.Series(names, index=frame.index, dtype="str").reindex(pool.index), note


def _patient_labels(frame: pd.DataFrame, codes: NDArray[np.int64], findings: tuple[str, ...]) -> NDArray[np.bool_]:
    """What each patient counts for, bool (P, L): positive and unlabelled for a finding, and having 1, 2–3, 4–7, … images."""
    size = np.bincount(codes)
    columns = []
    for name in findings:
        label = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        columns.append(np.bincount(codes, weights=label == 1, minlength=len(size)) > 0)
        columns.append(np.bincount(codes, weights=np.isin(label, (0.0, 1.0)), minlength=len(size)) == 0)
    doublings = np.floor(np.log2(size)).astype(np.int64)
    columns += [doublings == step for step in np.unique(doublings)]
    labels = np.stack(columns, axis=1)
    return labels[:, labels.any(axis=0)]
