"""Does a patient, a study or an image stand in two splits?"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pandas as pd

from medclassify.errors import LeakageError
from medclassify.manifest.similarity import NearDuplicate
from medclassify.manifest.table import Manifest
from medclassify.records import Split

_EXAMPLES = 5
_NOUNS = {
    "patient_id": ("patient", "patients"),
    "study_uid": ("study", "studies"),
    "series_uid": ("series", "series"),
    "sop_uid": ("image (SOP Instance UID)", "images (SOP Instance UID)"),
    "pixel_hash": ("image with equal pixels", "images with equal pixels"),
    "near_duplicate": ("picture", "pictures"),
}
_MENDING = {
    "patient_id": "Split by patient_id",
    "study_uid": "Split by patient_id, and correct patient ids that part a study",
    "series_uid": "Split by patient_id, and correct patient ids that part a series",
    "sop_uid": "Remove the repeated images",
    "pixel_hash": "Remove the repeated images",
    "near_duplicate": "Look at the pairs in leakage.json, and remove the copies or give their patients one id",
}


@dataclass(frozen=True, slots=True)
class LeakageFinding:
    """Something that stands in two splits.

    Attributes:
        check: ``patient_id``, ``study_uid``, ``series_uid``, ``sop_uid``, ``pixel_hash`` or ``near_duplicate``.
        splits: The two splits.
        count: How many patients, studies or images.
        examples: Up to five of them, hashed, each with a sample of either split.
    """

    check: str
    splits: tuple[str, str]
    count: int
    examples: tuple[dict[str, str], ...]

    def __str__(self) -> str:
        one, many = _NOUNS[self.check]
        subject = f"{self.count} {one} is" if self.count == 1 else f"{self.count} {many} are"
        where, first = f"in both {self.splits[0]} and {self.splits[1]}", self.examples[0]
        if self.check == "near_duplicate":  # not equal in any number, so a person has to look
            return (
                f"{subject} {where}, not equal but alike "
                f"(first: samples {first[self.splits[0]]} and {first[self.splits[1]]}, similarity {first['similarity']})"
            )
        return f"{subject} {where} (first: {first['id'][:4]}…)"


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What was checked across splits, and the result.

    Attributes:
        checked: Check → how many different values were compared.
        unchecked: What could not be checked, and why, in words.
        findings: What stands in two splits; worst first.
        samples: Split → how many samples.
        notes: What was seen besides, and is no leak.
    """

    checked: dict[str, int]
    unchecked: tuple[str, ...]
    findings: tuple[LeakageFinding, ...]
    samples: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing stands in two splits, as far as could be checked."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """The content of ``leakage.json``: plain dicts, lists, text and numbers."""
        return {
            "clean": self.clean,
            "samples": self.samples,
            "checked": self.checked,
            "unchecked": list(self.unchecked),
            "notes": list(self.notes),
            "findings": [
                {"check": found.check, "splits": list(found.splits), "count": found.count, "examples": list(found.examples),
                 "text": f"{found}."}
                for found in self.findings
            ],
        }  # fmt: skip


def check_leakage(
    manifest: Manifest,
    *,
    pixel_hashes: Mapping[str, str] | None = None,
    alike: Sequence[NearDuplicate] | None = None,
) -> LeakageReport:
    """Compares every pair of splits.

    Args:
        manifest: With splits.
        pixel_hashes: sample_id → a hash of the decoded pixels, to find one picture under two UIDs. Not checked when left out.
        alike: ``near_duplicates`` of the manifest's images. Not checked when left out.

    Returns:
        The report; it holds no UID, and patients as hashes only.
    """
    frame = manifest.frame[["sample_id", "split", "patient_id", "study_uid", "series_uid", "sop_uid"]]
    if pixel_hashes is not None:
        frame = frame.assign(pixel_hash=frame["sample_id"].map(dict(pixel_hashes)).astype("str"))
    frame = frame.dropna(subset="split").sort_values("sample_id")
    findings: list[LeakageFinding] = []
    checked: dict[str, int] = {}
    for check in frame.columns[2:]:
        checked[check] = int(frame[check].nunique())
        findings += _crossings(frame, check)
    counts = frame["split"].value_counts()
    report = LeakageReport(
        checked=checked,
        unchecked=_unchecked(manifest, frame, pixel_hashes is not None),
        findings=tuple(findings),
        samples={split.value: int(counts.get(split.value, 0)) for split in Split},
    )
    return _with_near_duplicates(report, alike, frame)


def require_no_leakage(report: LeakageReport, allow_reason: str | None = None) -> None:
    """The gate: passes a clean report, or one that a person has accepted with a reason.

    Raises:
        LeakageError: Something stands in two splits and no reason is given.
    """
    if report.clean or (allow_reason is not None and allow_reason.strip()):
        return
    worst = report.findings[0]
    more = f" {len(report.findings) - 1} more such findings stand in leakage.json." if len(report.findings) > 1 else ""
    raise LeakageError(f'{worst}. {_MENDING[worst.check]}, or state why with --allow-leakage "reason".{more}')


def _with_near_duplicates(report: LeakageReport, alike: Sequence[NearDuplicate] | None, frame: pd.DataFrame) -> LeakageReport:
    """Adds pictures that are alike; where their pixels are equal, that has been found already."""
    if alike is None:
        return replace(
            report,
            unchecked=(
                *report.unchecked,
                "near_duplicate: pictures were not compared: samples are series, or nothing is prepared.",
            ),
        )
    facts = frame.set_index("sample_id")
    within, across = 0, dict[tuple[str, str], list[dict[str, str]]]()
    for first, second, similarity in alike:
        if first not in facts.index or second not in facts.index or _equal_pixels(facts, first, second):
            continue
        pair = {str(facts.at[sample, "split"]): sample for sample in (first, second)}
        if len(pair) == 1:
            within += 1
            continue
        one, other = (split.value for split in Split if split.value in pair)
        example = {one: pair[one], other: pair[other], "similarity": f"{similarity:.3f}"}
        across.setdefault((one, other), []).append({"id": _short_hash(f"{first} {second}"), **example})
    findings = [
        LeakageFinding("near_duplicate", splits, len(pairs), tuple(pairs[:_EXAMPLES]))
        for splits, pairs in sorted(across.items(), key=lambda item: -len(item[1]))
    ]
    note = f"near_duplicate: {within} pairs of images of two patients are alike within one split: two ids of one patient?"
    return replace(
        report,
        checked={**report.checked, "near_duplicate": len(frame)},
        findings=(*report.findings, *findings),
        notes=(note,) if within else (),
    )


def _equal_pixels(facts: pd.DataFrame, first: str, second: str) -> bool:
    return "pixel_hash" in facts.columns and facts.at[first, "pixel_hash"] == facts.at[second, "pixel_hash"]


def _crossings(frame: pd.DataFrame, check: str) -> list[LeakageFinding]:
    pairs = frame.dropna(subset=check).drop_duplicates([check, "split"])
    crossing = pairs[pairs[check].duplicated(keep=False)]
    samples = crossing.pivot(index=check, columns="split", values="sample_id")
    found = []
    for one, other in combinations((split.value for split in Split if split.value in samples.columns), 2):
        both = samples[[one, other]].dropna()
        if len(both):
            examples = tuple(
                {"id": value if check == "patient_id" else _short_hash(value), one: both[one][value], other: both[other][value]}
                for value in sorted(both.index)[:_EXAMPLES]
            )
            found.append(LeakageFinding(check, (one, other), len(both), examples))
    return sorted(found, key=lambda finding: -finding.count)


def _short_hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def _unchecked(manifest: Manifest, frame: pd.DataFrame, pixels: bool) -> tuple[str, ...]:
    lines = []
    if count := manifest.patient_source.get("study_uid", 0):
        lines.append(f"patient_id: {count} images have none; their study stands in for the patient.")
    if count := manifest.patient_source.get("image", 0):
        lines.append(
            f"patient_id: {count} images have neither patient id nor study UID; leakage between splits cannot be seen."
        )
    for name in ("study_uid", "series_uid", "sop_uid"):
        if count := int(frame[name].isna().sum()):
            lines.append(f"{name}: {count} images have none.")
    if not pixels:
        lines.append("pixel_hash: pixels were not compared.")
    elif count := int(frame["pixel_hash"].isna().sum()):
        lines.append(f"pixel_hash: {count} images have none.")
    return tuple(lines)
