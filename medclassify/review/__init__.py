"""What readers are asked, what they answer, and where the answers are kept."""

from medclassify.review.decision_table import MAX_COMMENT, MAX_READER
from medclassify.review.explanations import StoredExplanations, read_explanations
from medclassify.review.items import attribute_columns, build_items, check_predictions
from medclassify.review.source import ReviewRun, open_review_run
from medclassify.review.store import ReviewStore
from medclassify.review.worklist import (
    MISSING,
    Called,
    ReadStatus,
    WorklistFilter,
    add_status,
    build_worklist,
    current_decisions,
    filter_worklist,
    uncertainty,
)

__all__ = [
    "MAX_COMMENT",
    "MAX_READER",
    "MISSING",
    "Called",
    "ReadStatus",
    "ReviewRun",
    "ReviewStore",
    "StoredExplanations",
    "WorklistFilter",
    "add_status",
    "attribute_columns",
    "build_items",
    "build_worklist",
    "check_predictions",
    "current_decisions",
    "filter_worklist",
    "open_review_run",
    "read_explanations",
    "uncertainty",
]
