"""Chained events, accounts, sessions and drafts. Decisions of 0.1.0 become events; their table stays under another name."""

import json

import sqlalchemy as sa
from alembic import op

from medclassify.review.chain import FIRST, link

revision = "0002"
down_revision = "0001"

OLD = "decisions_0_1_0"
"""Where the decisions of 0.1.0 stay, as they were."""
_TEXT = {"type_": sa.Text, "nullable": False}


def upgrade() -> None:
    """Makes the tables, copies the old decisions, and has the database itself refuse changes."""
    events = op.create_table(
        "events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, **_TEXT) for name in ("kind", "at", "reader", "sample_id", "item", "body", "previous")),
        sa.Column("hash", unique=True, **_TEXT),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(name, **_TEXT) for name in ("roles", "password", "oidc")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("disabled", "failures")),
        sa.Column("locked_until", **_TEXT),
    )
    op.create_table(
        "sessions",
        sa.Column("token", sa.Text, primary_key=True),
        *(sa.Column(name, **_TEXT) for name in ("name", "method", "seen_at")),
    )
    op.create_table(
        "drafts",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("reader", "sample_id")),
        sa.Column("body", **_TEXT),
    )
    _copy_decisions(events)
    _refuse_changes()


def _copy_decisions(events: sa.Table) -> None:
    connection = op.get_bind()
    old = sa.table("decisions", *(sa.column(name) for name in (*_PLAIN, *_BODY)))
    rows = connection.execute(sa.select(old).order_by(old.c.number)).mappings().all()
    if not rows:
        for name in ("decisions_no_update", "decisions_no_delete") if connection.dialect.name == "sqlite" else ():
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        op.drop_table("decisions")
        return
    previous, lines = FIRST, []
    for number, row in enumerate(rows, start=1):
        body = json.dumps({name: row[name] for name in _BODY}, sort_keys=True)
        event = link(
            number, "verdict", row["decided_at"], row["reader"], row["sample_id"], row["item_fingerprint"], body, previous
        )
        previous = event.hash
        lines.append({column.name: getattr(event, column.name) for column in events.columns})
    op.bulk_insert(events, lines)
    op.rename_table("decisions", OLD)


_PLAIN = ("number", "sample_id", "reader")
_BODY = ("finding", "verdict", "comment", "decided_at", "item_fingerprint", "shown")


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
                "BEGIN SELECT RAISE(ABORT, 'review events are append-only'); END"
            )
        op.execute(  # REPLACE deletes without asking the trigger above
            "CREATE TRIGGER events_no_replace BEFORE INSERT ON events "
            "WHEN EXISTS (SELECT 1 FROM events WHERE number = NEW.number OR hash = NEW.hash) "
            "BEGIN SELECT RAISE(ABORT, 'review events are append-only'); END"
        )
        op.execute("PRAGMA user_version = 2")  # 0.1.0 looks at it, and refuses
        return
    op.execute(
        "CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'review events are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()"
    )
