"""The manifest: the table that defines a dataset version, one row a sample."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medclassify.errors import ManifestError
from medclassify.records import Split

SCHEMA_VERSION = 1
CORE_COLUMNS = (
    "sample_id", "path", "patient_id", "study_uid", "series_uid", "sop_uid", "modality", "view", "laterality",
    "site", "manufacturer", "sex", "age", "age_band", "split",
)  # fmt: skip
PATIENT_SOURCES = ("labels", "headers", "study_uid", "image")


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """One row a sample. It names no patient: ``patient_id`` is a keyed hash.

    Attributes:
        frame: Columns ``CORE_COLUMNS``, then attributes (str), then findings (Int8: 1 present, 0 absent, -1 uncertain,
            missing = not labelled). ``path`` is absolute, ``age`` float64 in years, ``split`` one of train, tune, calibrate,
            test; everything else str. What is not known is missing. Indexed from 0.
        findings: The finding columns, in order.
        source: The label file, or the manifest file it was read from.
        label_format: The layout of the label file.
        notes: What was decided on the way, one line each; to be shown to the user.
        patient_source: How many samples have their ``patient_id`` from where: ``labels``, ``headers``, or, for want of an id,
            ``study_uid`` (each study its own patient) or ``image`` (each image its own patient).
        slices: Where samples are slices with neighbours, or whole series: ``stacks.SLICE_COLUMNS``, a row a slice, then for
            series the findings of slices. Samples are told by ``slice_id`` or by ``stack``. None for single images.
    """

    frame: pd.DataFrame
    findings: tuple[str, ...]
    source: str
    label_format: str
    notes: tuple[str, ...] = ()
    patient_source: dict[str, int] = field(default_factory=dict)
    slices: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        missing = [name for name in (*CORE_COLUMNS, *self.findings) if name not in self.frame.columns]
        if missing:
            raise ManifestError(f"{self.source}: the manifest lacks the columns {', '.join(missing)}. Index the images again.")
        twice = self.frame["sample_id"].duplicated()
        if twice.any():
            raise ManifestError(
                f"{self.source}: sample_id must be unique; {int(twice.sum())} stand twice "
                f"(first: {self.frame['sample_id'][twice].iloc[0]}). Remove the repeated rows."
            )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns beyond the core and the findings."""
        return tuple(name for name in self.frame.columns if name not in CORE_COLUMNS and name not in self.findings)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the samples, in the order of their ids.

        The same dataset elsewhere on disk, in another order, or hashed with another patient key has the same fingerprint:
        ``path`` is left out, and a patient is known by its first sample.
        """
        digest = hashlib.sha256(f"medclassify manifest {SCHEMA_VERSION}\x1e".encode() + "\x1f".join(self.findings).encode())
        rows = self.frame.sort_values("sample_id")
        rows = rows.assign(patient_id=rows.groupby("patient_id")["sample_id"].transform("first"))
        for name in sorted(rows.columns.drop("path")):
            digest.update(f"\x1e{name}\x1e".encode())
            digest.update("\x1f".join(rows[name].astype("str").fillna("\x00").tolist()).encode())
        if self.slices is not None:
            ordered = self.slices.sort_values(["stack", "position_mm"]).drop(columns="path").astype("str").fillna("\x00")
            digest.update(f"\x1eslices\x1e{ordered.to_csv(index=False)}".encode())
        return digest.hexdigest()

    def targets(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The findings as numbers.

        Returns:
            float64 (N, K) of 1 and 0, and bool (N, K) which is True where the finding is labelled 1 or 0. Uncertain (-1) and
            missing labels are masked; their target is 0 and means nothing.
        """
        labels = self.frame[list(self.findings)].to_numpy(dtype=np.float64, na_value=np.nan)
        mask = np.isin(labels, (0.0, 1.0))
        return np.where(mask, labels, 0.0), mask

    def of_split(self, split: Split) -> "Manifest":
        """The samples of one split, indexed from 0."""
        return replace(self, frame=self.frame[self.frame["split"] == split.value].reset_index(drop=True))
