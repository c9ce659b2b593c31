"""A manifest in the numbers that a plan is made from."""

from collections.abc import Mapping, Sequence

import numpy as np

from medclassify.manifest import Manifest
from medclassify.manifest.modality import modality_kind
from medclassify.planning.data_rules import USUAL_ATTRIBUTES
from medclassify.planning.facts import DataFacts, FindingFacts, SplitCounts
from medclassify.records import Split


def survey(manifest: Manifest, *, published: bool, attributes: Sequence[str]) -> DataFacts:
    """Counts a manifest.

    Args:
        manifest: With every split filled.
        published: Its source had a split already.
        attributes: Columns beside the usual ones by which results could be reported.
    """
    frame = manifest.frame
    per_patient = frame["patient_id"].value_counts()
    named = tuple(dict.fromkeys((*USUAL_ATTRIBUTES, *attributes)))
    return DataFacts(
        images=len(frame),
        patients=len(per_patient),
        most_images=int(per_patient.iloc[0]),
        split_images={split.value: int((frame["split"] == split.value).sum()) for split in Split},
        published=published,
        patient_source=manifest.patient_source,
        findings=tuple(_finding(manifest, name) for name in manifest.findings),
        modalities=_counts(modality_kind(frame["modality"]).fillna("")),
        views=_counts(frame["view"].fillna("")),
        attributes={name: _patients_in_test(manifest, name) for name in named if name in frame.columns},
    )


def _finding(manifest: Manifest, name: str) -> FindingFacts:
    frame = manifest.frame
    label = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return FindingFacts(
        name=name,
        positive=int((label == 1).sum()),
        negative=int((label == 0).sum()),
        uncertain=int((label == -1).sum()),
        unlabelled=int(np.isnan(label).sum()),
        positive_patients=int(frame["patient_id"][label == 1].nunique()),
        splits={split.value: _split_counts(manifest, label, split) for split in Split},
    )


def _split_counts(manifest: Manifest, label: np.ndarray, split: Split) -> SplitCounts:
    here = (manifest.frame["split"] == split.value).to_numpy(dtype=bool)
    patients = manifest.frame["patient_id"]
    positive, negative = set(patients[here & (label == 1)]), set(patients[here & (label == 0)])
    return SplitCounts(
        int((here & (label == 1)).sum()), int((here & (label == 0)).sum()), len(positive), len(negative - positive)
    )


def _patients_in_test(manifest: Manifest, attribute: str) -> Mapping[str, int]:
    test = manifest.frame[manifest.frame["split"] == Split.TEST.value]
    counts = test.assign(group=test[attribute].fillna("")).groupby("group")["patient_id"].nunique()
    return {str(group): int(patients) for group, patients in counts.items()}


def _counts(values) -> Mapping[str, int]:
    return {str(name): int(count) for name, count in values.value_counts().items()}
