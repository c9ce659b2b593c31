"""What readers are asked, what they answer, and where the answers are kept."""

from medclassify.review.accounts import MIN_PASSWORD, Accounts
from medclassify.review.chain import ChainCheck
from medclassify.review.desk import AdjudicationCase, Desk
from medclassify.review.explanations import StoredExplanations, read_explanations
from medclassify.review.items import attribute_columns, build_items, check_predictions
from medclassify.review.people import named_reader
from medclassify.review.protocol import answer_to
from medclassify.review.queue import QueueOrder, Queues, next_sample
from medclassify.review.source import ReviewRun, open_review_run
from medclassify.review.store import ReviewStore
from medclassify.review.text import MAX_COMMENT, MAX_READER
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
    "MIN_PASSWORD",
    "MISSING",
    "Accounts",
    "AdjudicationCase",
    "Called",
    "ChainCheck",
    "Desk",
    "QueueOrder",
    "Queues",
    "ReadStatus",
    "ReviewRun",
    "ReviewStore",
    "StoredExplanations",
    "WorklistFilter",
    "add_status",
    "answer_to",
    "attribute_columns",
    "build_items",
    "build_worklist",
    "check_predictions",
    "current_decisions",
    "filter_worklist",
    "named_reader",
    "next_sample",
    "open_review_run",
    "read_explanations",
    "uncertainty",
]
