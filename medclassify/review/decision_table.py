"""The form in which a decision is stored."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from medclassify.errors import ReviewError
from medclassify.records import ReviewDecision, Verdict

SCHEMA_VERSION = 1
MAX_COMMENT = 10_000
"""Characters a comment may hold."""
MAX_READER = 200
"""Characters a reader's name may hold."""

METADATA = sa.MetaData()
DECISIONS = sa.Table(
    "decisions",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sample_id", sa.Text, nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("reader", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, sa.CheckConstraint("verdict IN ('accept', 'reject', 'unsure')"), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Text, nullable=False),
    sa.Column("item_fingerprint", sa.Text, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),
    sa.Index("decisions_by_reader", "reader", "sample_id", "finding"),
    sqlite_autoincrement=True,
)
# The database itself refuses what this module offers no way to ask for.
GUARDS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS decisions_no_{verb.lower()} BEFORE {verb} ON decisions "
    "BEGIN SELECT RAISE(ABORT, 'review decisions are append-only'); END"
    for verb in ("UPDATE", "DELETE")
)


def to_row(decision: ReviewDecision) -> dict[str, str]:
    """A decision as the columns it is stored in.

    Raises:
        ReviewError: It is not well-formed: no reader, no time zone, too long, or text that is not Unicode.
    """
    for name, value, most in (("comment", decision.comment, MAX_COMMENT), ("reader", decision.reader, MAX_READER)):
        if len(value) > most:
            raise ReviewError(f"{name}: {len(value)} characters, and at most {most} can be stored. Shorten it.")
    for name in ("reader", "sample_id", "finding", "item_fingerprint"):
        if not getattr(decision, name).strip():
            raise ReviewError(f"{name}: blank, so the decision cannot be stored. Every decision names its {name}.")
    if decision.decided_at.tzinfo is None:
        raise ReviewError(f"decided_at: {decision.decided_at.isoformat()} has no time zone. Give the time in UTC.")
    row = {name: getattr(decision, name) for name in ("sample_id", "finding", "reader", "comment", "item_fingerprint")}
    for name, value in row.items():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ReviewError(f"{name}: character {error.start + 1} is half a Unicode pair. Type the text again.") from error
    return {
        **row,
        "verdict": Verdict(decision.verdict).value,
        "decided_at": decision.decided_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "shown": json.dumps(decision.shown),
    }


def to_decision(row: Mapping[Any, Any]) -> ReviewDecision:
    """A stored row as the decision it was."""
    return ReviewDecision(
        sample_id=row["sample_id"],
        finding=row["finding"],
        reader=row["reader"],
        verdict=Verdict(row["verdict"]),
        comment=row["comment"],
        decided_at=datetime.fromisoformat(row["decided_at"]),
        item_fingerprint=row["item_fingerprint"],
        shown=tuple(json.loads(row["shown"])),
    )
