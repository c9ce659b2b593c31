"""The form of version 0.1.0: one table of decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the table as 0.1.0 made it, without its triggers: the next revision takes it away again where it is empty."""
    op.create_table(
        "decisions",
        sa.Column("number", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("sample_id", "finding", "reader", "verdict", "comment")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("decided_at", "item_fingerprint", "shown")),
    )
