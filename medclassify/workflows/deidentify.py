"""De-identified copies of a manifest's images, with a manifest of their own that can be learnt from at once."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.dicom.deidentify import Deidentified, deidentify_image
from medclassify.errors import DicomError, ManifestError, RunError, UnsupportedImageError
from medclassify.manifest import Manifest, PatientHasher, write_boxes, write_exclusions, write_manifest
from medclassify.manifest.images import sample_ids
from medclassify.records import Exclusion
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.index import report_exclusions

MAY_SHOW_TEXT = "not copied: may show or hold text"
UNREADABLE = "not copied: unreadable"
_OLDEST = 90.0
"""Higher ages are so rare that they can name a person."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What was written.

    Attributes:
        manifest: The copies' manifest, inside their folder.
        count: How many copies there are.
        exclusions: The list of what was not copied; beside the folder, because it names original files.
        left_out: How many files it lists.
    """

    manifest: Path
    count: int
    exclusions: Path
    left_out: int


def require_new_folder(folder: Path) -> None:
    """Refuses a folder that holds anything: old files would pass for copies.

    Raises:
        RunError: It is not empty, or no folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: exists and is not an empty folder. Choose another one with --deidentify.")


def deidentify(manifest: Manifest, folder: Path, boxes: pd.DataFrame | None = None) -> Copies:
    """Writes a de-identified copy of every image of a manifest; a file that must not or cannot be copied is listed.

    Args:
        manifest: Of `workflows.index`: excluded patients are not in it, so they are not copied.
        folder: New or empty.
        boxes: Boxes of the manifest's samples; those of copied images go along.

    Raises:
        RunError: The folder holds something already.
        ManifestError: Nothing could be copied.
        StorageError: The disk is full, read-only or not there.
    """
    require_new_folder(folder)
    hasher = PatientHasher()
    copies: list[Deidentified | None] = []
    exclusions = []
    with progress("de-identifying") as move:
        for path, patient in zip(manifest.frame["path"], manifest.frame["patient_id"], strict=True):
            try:
                copies.append(deidentify_image(path, folder, patient, hasher.new_uid))
            except DicomError as error:
                reason = MAY_SHOW_TEXT if isinstance(error, UnsupportedImageError) else UNREADABLE
                exclusions.append(Exclusion(path, reason, str(error)))
                copies.append(None)
            move(len(copies), len(manifest))
    report_exclusions(exclusions)
    listed = folder.with_name(f"{folder.name}.exclusions.csv")
    write_exclusions(listed, exclusions)
    if not any(copies):
        raise ManifestError(f"{folder}: none of {len(manifest)} images could be copied. {listed} says why.")
    if silent := sum(not copy.burned_in_denied for copy in copies if copy):
        warn(
            f"{silent} copies do not say whether text stands in their pixels (no Burned In Annotation (0028,0301)): look at a "
            f"sample of them before they are shared"
        )
    out = folder / "manifest.parquet"
    copied = _manifest_of(manifest, copies, folder, hasher)
    write_manifest(copied, out)
    if boxes is not None:
        originals = manifest.frame["sample_id"][[copy is not None for copy in copies]]
        write_boxes(out, _boxes_of(boxes, dict(zip(originals, copied.frame["sample_id"], strict=True))))
    say("copied by the PS3.15 Basic Profile: patients, studies and sites are hashed, dates are removed; docs/privacy.md")
    return Copies(out, len(manifest) - len(exclusions), listed, len(exclusions))


def _manifest_of(manifest: Manifest, copies: list[Deidentified | None], folder: Path, hasher: PatientHasher) -> Manifest:
    """The copies' manifest: labels, sex and age of the originals; nothing that leads back to them without the key."""
    kept = [copy is not None for copy in copies]
    frame = manifest.frame[kept].reset_index(drop=True)
    done = [copy for copy in copies if copy is not None]
    frame["path"] = pd.Series([copy.path.relative_to(folder).as_posix() for copy in done], dtype="str")
    for name in ("study_uid", "series_uid", "sop_uid"):
        values = pd.Series([getattr(copy, name) for copy in done], dtype="str")
        frame[name] = values.mask(values == "")
    frame["sample_id"] = sample_ids(frame, [])
    frame["site"] = hasher.hash_stand_ins("site", frame["site"])
    frame["age"] = frame["age"].clip(upper=_OLDEST)
    note = f"{len(frame)} de-identified copies; sites are hashed, ages above {_OLDEST:.0f} years are written as {_OLDEST:.0f}."
    return replace(manifest, frame=frame, source="de-identified copies", notes=(note,))


def _boxes_of(boxes: pd.DataFrame, new_ids: dict[str, str]) -> pd.DataFrame:
    kept = boxes[boxes["sample_id"].isin(list(new_ids))].reset_index(drop=True)
    return kept.assign(sample_id=kept["sample_id"].map(new_ids).astype("str"))
