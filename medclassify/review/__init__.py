"""What readers are asked, what they answer, and where the answers are kept."""

from medclassify.review.accounts import MIN_PASSWORD, Accounts
from medclassify.review.answers import answers, share_out
from medclassify.review.chain import ChainCheck
from medclassify.review.desk import AdjudicationCase, Desk
from medclassify.review.explanations import StoredExplanations, read_explanations
from medclassify.review.export import LabelCounts, review_labels, write_labels, write_readings
from medclassify.review.items import attribute_columns, build_items, check_predictions
from medclassify.review.monitoring import drift
from medclassify.review.people import named_reader
from medclassify.review.protocol import answer_to
from medclassify.review.queue import QueueOrder, Queues, next_sample
from medclassify.review.source import ReviewRun, open_review_run, open_review_store
from medclassify.review.statistics import (
    AUTOMATION,
    StudyResult,
    agreement,
    automation,
    override_log,
    performance,
    reader_studies,
)
from medclassify.review.store import ReviewStore
from medclassify.review.text import MAX_COMMENT, MAX_READER
from medclassify.review.worklist import (
    MISSING,
    Called,
    WorklistFilter,
    build_worklist,
    filter_worklist,
    uncertainty,
)

__all__ = [
    "AUTOMATION",
    "MAX_COMMENT",
    "MAX_READER",
    "MIN_PASSWORD",
    "MISSING",
    "Accounts",
    "AdjudicationCase",
    "Called",
    "ChainCheck",
    "Desk",
    "LabelCounts",
    "QueueOrder",
    "Queues",
    "ReviewRun",
    "ReviewStore",
    "StoredExplanations",
    "StudyResult",
    "WorklistFilter",
    "agreement",
    "answer_to",
    "answers",
    "attribute_columns",
    "automation",
    "build_items",
    "build_worklist",
    "check_predictions",
    "drift",
    "filter_worklist",
    "named_reader",
    "next_sample",
    "open_review_run",
    "open_review_store",
    "override_log",
    "performance",
    "read_explanations",
    "reader_studies",
    "review_labels",
    "share_out",
    "uncertainty",
    "write_labels",
    "write_readings",
]
