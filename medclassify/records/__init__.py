"""The frozen records that travel between packages. They depend on numpy alone."""

from medclassify.records.conformal import ConformalRule, ConformalSet
from medclassify.records.estimate import Estimate, EstimateRow, Status
from medclassify.records.image import DicomImage, InstanceHeader, PreparedGeometry, Units, ViewImage, ViewWindow
from medclassify.records.operating_point import OperatingPoint
from medclassify.records.preprocessing import Preprocessing
from medclassify.records.review import (
    Adjudication,
    Answer,
    Identity,
    Mark,
    Presence,
    Reading,
    ReadingState,
    ReviewDecision,
    ReviewEvent,
    ReviewItem,
    Role,
    Verdict,
)
from medclassify.records.saliency import Saliency
from medclassify.records.sample import Exclusion, Split
from medclassify.records.series import DicomDirectory, DicomVolume, Quarantine, Series, SliceGeometry, SliceWeights
from medclassify.records.tables import LogitTable, ProbabilityTable

__all__ = [
    "Adjudication",
    "Answer",
    "ConformalRule",
    "ConformalSet",
    "DicomDirectory",
    "DicomImage",
    "DicomVolume",
    "Estimate",
    "EstimateRow",
    "Exclusion",
    "Identity",
    "InstanceHeader",
    "LogitTable",
    "Mark",
    "OperatingPoint",
    "PreparedGeometry",
    "Preprocessing",
    "Presence",
    "ProbabilityTable",
    "Quarantine",
    "Reading",
    "ReadingState",
    "ReviewDecision",
    "ReviewEvent",
    "ReviewItem",
    "Role",
    "Saliency",
    "Series",
    "SliceGeometry",
    "SliceWeights",
    "Split",
    "Status",
    "Units",
    "Verdict",
    "ViewImage",
    "ViewWindow",
]
