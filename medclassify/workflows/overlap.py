"""Has the model learnt from what it is evaluated on?"""

from dataclasses import dataclass
from typing import Any

from medclassify.errors import SplitError
from medclassify.manifest import Manifest
from medclassify.records import Split
from medclassify.workflows.console import say

_COMPARED = {"patient_id": "patients", "study_uid": "studies", "sop_uid": "images"}


@dataclass(frozen=True, slots=True)
class Overlap:
    """What stands in both.

    Attributes:
        checked: Column → how many different values of the evaluated samples were looked for.
        unchecked: What could not be compared, in words.
        found: One line a column with values on both sides.
    """

    checked: dict[str, int]
    unchecked: tuple[str, ...]
    found: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the report's leakage check."""
        return {
            "clean": not self.found,
            "checked": self.checked,
            "unchecked": list(self.unchecked),
            "findings": list(self.found),
            "notes": ["Compared with the run's train, tune and calibrate splits; patients by hashes made with the same key."],
        }


def overlap(seen: Manifest, evaluated: Manifest) -> Overlap:
    """Compares what is evaluated with what a run has used before its test split.

    Args:
        seen: The run's manifest.
        evaluated: The samples that the figures are made of.
    """
    used = seen.frame[seen.frame["split"] != Split.TEST]
    checked, unchecked, found = {}, [], []
    for column, what in _COMPARED.items():
        here = set(evaluated.frame[column].dropna())
        if not here or used[column].isna().all():
            unchecked.append(f"{what}: no {column} to compare.")
            continue
        checked[column] = len(here)
        both = sorted(here & set(used[column].dropna()))
        if both:
            found.append(
                f"{len(both)} of {len(here)} {what} here were in the run's train, tune or calibrate split "
                f"(first: {both[0][:8]}…): figures are too good"
            )
    return Overlap(checked, tuple(unchecked), tuple(found))


def rows_to_evaluate(manifest: Manifest) -> Manifest:
    """The samples to evaluate: those of split test where the manifest has splits, else all.

    Raises:
        SplitError: It has splits, and none of them is test.
    """
    split = manifest.frame["split"]
    if split.isna().all():
        return manifest
    test = manifest.of_split(Split.TEST)
    if not len(test):
        raise SplitError(
            f"{manifest.source}: no sample is of split test, only {', '.join(sorted(split.dropna().unique()))}. "
            f"Mark the samples to evaluate, or leave the column split out where the model has seen none of them."
        )
    if len(test) < len(manifest):
        say(f"{len(test)} test samples evaluated, {len(manifest) - len(test)} of other splits set aside")
    return test
