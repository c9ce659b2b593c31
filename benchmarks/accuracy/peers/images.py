"""The images and labels of a run, decoded once by this library: reading DICOM is not what the ways of training differ in."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 512
"""Larger than any network here needs, so that random crops still have something to crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One split.

    Attributes:
        images: uint8 (H, W), not cropped, longer side at most 512.
        targets: float64 (N, K), 0 or 1.
        mask: bool (N, K), the label is known.
        sample_ids: N ids.
        patient_ids: N ids.
    """

    images: list[NDArray[np.uint8]]
    targets: NDArray[np.float64]
    mask: NDArray[np.bool_]
    sample_ids: list[str]
    patient_ids: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a peer gets: the same splits as the run it is compared with."""

    findings: tuple[str, ...]
    seed: int
    side: int
    train: Part
    tune: Part
    test: Part
    manifest: Path


def read_data(run: Path) -> Data:
    """Reads a finished run's manifest, and the images of its train, tune and test splits."""
    from medclassify.manifest import read_manifest
    from medclassify.records import Split

    manifest = read_manifest(run / "manifest.parquet")
    seed = json.loads((run / "provenance.json").read_text(encoding="utf-8"))["seed"]
    side = json.loads((run / "model" / "model.json").read_text(encoding="utf-8"))["preprocessing"]["image_size"]
    train, tune, test = (_part(manifest.of_split(name)) for name in (Split.TRAIN, Split.TUNE, Split.TEST))
    return Data(manifest.findings, seed, side, train, tune, test, run / "manifest.parquet")


def _part(manifest) -> Part:
    from medclassify.dicom import read_shrunk

    targets, mask = manifest.targets()
    grey = [read_shrunk(path, longest_side=LONGEST_SIDE).image.pixels for path in manifest.frame["path"]]
    images = [np.rint(np.clip(each, 0, 1) * 255).astype(np.uint8) for each in grey]
    ids, patients = manifest.frame["sample_id"].tolist(), manifest.frame["patient_id"].tolist()
    return Part(images, targets, mask > 0, ids, patients)
