"""The table that defines a dataset version: labels joined to images, patients kept apart, leakage checked."""

from medclassify.manifest.attributes import AGE_BANDS
from medclassify.manifest.boxes import BOX_COLUMNS, join_boxes, keep_boxes, read_boxes, write_boxes
from medclassify.manifest.build import build_manifest, unlabelled_manifest
from medclassify.manifest.describe import describe
from medclassify.manifest.images import HEADER_FIELDS, header_table, named_by
from medclassify.manifest.labels import LabelTable
from medclassify.manifest.leakage import LeakageFinding, LeakageReport, check_leakage, require_no_leakage
from medclassify.manifest.patients import PatientHasher, is_patient_hash
from medclassify.manifest.reading import read_labels
from medclassify.manifest.similarity import NearDuplicate, near_duplicates
from medclassify.manifest.splits import assign_splits, check_splits
from medclassify.manifest.stacks import (
    SLICE_COLUMNS,
    as_series,
    is_of_series,
    of_slices,
    own_slices,
    slice_table,
    with_neighbours,
)
from medclassify.manifest.store import read_manifest, write_exclusions, write_manifest
from medclassify.manifest.subset import keep_findings, keep_samples, without_patients
from medclassify.manifest.table import CORE_COLUMNS, Manifest
from medclassify.manifest.uncertainty import apply_uncertainty, uncertainty_notes, uncertainty_policies

__all__ = [
    "AGE_BANDS",
    "BOX_COLUMNS",
    "CORE_COLUMNS",
    "HEADER_FIELDS",
    "SLICE_COLUMNS",
    "LabelTable",
    "LeakageFinding",
    "LeakageReport",
    "Manifest",
    "NearDuplicate",
    "PatientHasher",
    "apply_uncertainty",
    "as_series",
    "assign_splits",
    "build_manifest",
    "check_leakage",
    "check_splits",
    "describe",
    "header_table",
    "is_of_series",
    "is_patient_hash",
    "join_boxes",
    "keep_boxes",
    "keep_findings",
    "keep_samples",
    "named_by",
    "near_duplicates",
    "of_slices",
    "own_slices",
    "read_boxes",
    "read_labels",
    "read_manifest",
    "require_no_leakage",
    "slice_table",
    "uncertainty_notes",
    "uncertainty_policies",
    "unlabelled_manifest",
    "with_neighbours",
    "without_patients",
    "write_boxes",
    "write_exclusions",
    "write_manifest",
]
