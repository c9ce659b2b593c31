"""The tables of a review store."""

import sqlalchemy as sa

METADATA = sa.MetaData()

EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("reader", sa.Text, nullable=False),
    sa.Column("sample_id", sa.Text, nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
)
"""What happened, one line each; `ReviewEvent` says what the columns hold. Never changed."""

ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("password", sa.Text, nullable=False),
    sa.Column("oidc", sa.Text, nullable=False),
    sa.Column("disabled", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", sa.Text, nullable=False),
)
"""Who may sign in: roles by comma, the argon2 hash of a password or "", the identity of an OIDC provider or ""."""

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Text, nullable=False),
)
"""Who is signed in: SHA-256 of the token that the browser holds."""

DRAFTS = sa.Table(
    "drafts",
    METADATA,
    sa.Column("reader", sa.Text, primary_key=True),
    sa.Column("sample_id", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
"""What a reader has typed and not yet sent, as JSON."""
