"""De-identified copies of a manifest's images, with a manifest of their own that can be learnt from at once."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.dicom.deidentify import Deidentified
from medclassify.errors import ManifestError, StorageError
from medclassify.manifest import Manifest, PatientHasher, write_boxes, write_exclusions, write_manifest
from medclassify.manifest.images import sample_ids
from medclassify.records import Exclusion
from medclassify.runs import one_works, storage_error
from medclassify.runs.pool import MEMORY_A_FILE, SECONDS_A_FILE, Answer, Program, work
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.copy_journal import CopyJournal, beside
from medclassify.workflows.copying import UNREADABLE
from medclassify.workflows.index import report_exclusions

_PROGRAM = "import sys; from medclassify.workflows.copying import main; sys.exit(main())"
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


def deidentify(manifest: Manifest, folder: Path, boxes: pd.DataFrame | None = None) -> Copies:
    """Writes a de-identified copy of every image of a manifest; a file that must not or cannot be copied is listed.

    It works in processes of its own, so that a file that crashes one costs itself alone, and goes on where an earlier call
    was killed: copies that are whole stay, and the same image has the same UIDs.

    Args:
        manifest: Of `workflows.index`: excluded patients are not in it, so they are not copied.
        folder: New, empty, or left unfinished by an earlier call.
        boxes: Boxes of the manifest's samples; those of copied images go along.

    Raises:
        RunError: The folder holds something else, or was begun with another key or version.
        ManifestError: Nothing could be copied.
        StorageError: The disk is full, read-only or not there.
    """
    hasher = PatientHasher()
    try:
        with (
            one_works(beside(folder, ".lock"), lambda: False, str(folder), warn),
            CopyJournal(folder, hasher.fingerprint) as journal,
        ):
            copies, exclusions = _copy_all(manifest, folder, journal, hasher)
            made = _finish(manifest, folder, boxes, journal, hasher, copies, exclusions)
    except OSError as error:
        raise storage_error(error, folder) from error
    say("copied by the PS3.15 Basic Profile: patients, studies and sites are hashed, dates are removed; docs/privacy.md")
    return made


def _copy_all(
    manifest: Manifest, folder: Path, journal: CopyJournal, hasher: PatientHasher
) -> tuple[list[Deidentified | None], list[Exclusion]]:
    """A copy, or none, for each row; and why there is none."""
    rows = list(zip(manifest.frame["path"], manifest.frame["patient_id"], strict=True))
    copies = [journal.find(path, patient) for path, patient in rows]
    todo = [number for number, copy in enumerate(copies) if copy is None]
    if len(todo) < len(rows):
        say(f"{folder}: {len(rows) - len(todo)} of {len(rows)} copies are there from an earlier run; going on")
    exclusions = []
    answers = work(
        Program(_PROGRAM, "reader", "copying"),
        {"folder": str(folder), "key_file": str(hasher.key_file)},
        [rows[number] for number in todo],
        seconds=SECONDS_A_FILE,
        memory_bytes=MEMORY_A_FILE,
    )
    with progress("de-identifying") as move, closing(answers):
        for done, (number, answer) in enumerate(zip(todo, answers, strict=True), len(rows) - len(todo) + 1):
            path, patient = rows[number]
            made = _copied(path, answer)
            if isinstance(made, Exclusion):
                exclusions.append(made)
            else:
                copies[number] = journal.add(path, patient, made)
            move(done, len(rows))
    return copies, exclusions


def _copied(path: str, answer: Answer | str) -> dict[str, Any] | Exclusion:
    """What is known of a copy, or why there is none."""
    if isinstance(answer, str):
        return Exclusion(path, UNREADABLE, f"{path}: {answer}. Leave it out, or convert it.")
    facts, _ = answer
    if "storage" in facts:
        raise StorageError(facts["storage"])
    return Exclusion(path, facts["reason"], facts["detail"]) if "reason" in facts else facts


def _finish(
    manifest: Manifest,
    folder: Path,
    boxes: pd.DataFrame | None,
    journal: CopyJournal,
    hasher: PatientHasher,
    copies: list[Deidentified | None],
    exclusions: list[Exclusion],
) -> Copies:
    """The copies' manifest and boxes, and the list of what was not copied."""
    report_exclusions(exclusions)
    if stray := journal.tidy({copy.path for copy in copies if copy}):
        say(f"{folder}: {stray} copies of images that are no longer asked for were removed")
    listed = beside(folder, ".exclusions.csv")
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
