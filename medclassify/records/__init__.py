"""The frozen records that travel between packages. They depend on numpy alone."""

from medclassify.records.conformal import ConformalRule, ConformalSet
from medclassify.records.estimate import Estimate, EstimateRow, Status
from medclassify.records.image import DicomImage, InstanceHeader, PreparedGeometry, Units, ViewImage, ViewWindow
from medclassify.records.operating_point import OperatingPoint
from medclassify.records.preprocessing import Preprocessing
from medclassify.records.review import ReviewDecision, ReviewItem, Verdict
from medclassify.records.saliency import Saliency
from medclassify.records.sample import Exclusion, Split
from medclassify.records.series import DicomDirectory, DicomVolume, Quarantine, Series, SliceGeometry
from medclassify.records.tables import LogitTable, ProbabilityTable

__all__ = [
    "ConformalRule",
    "ConformalSet",
    "DicomDirectory",
    "DicomImage",
    "DicomVolume",
    "Estimate",
    "EstimateRow",
    "Exclusion",
    "InstanceHeader",
    "LogitTable",
    "OperatingPoint",
    "PreparedGeometry",
    "Preprocessing",
    "ProbabilityTable",
    "Quarantine",
    "ReviewDecision",
    "ReviewItem",
    "Saliency",
    "Series",
    "SliceGeometry",
    "Split",
    "Status",
    "Units",
    "Verdict",
    "ViewImage",
    "ViewWindow",
]
