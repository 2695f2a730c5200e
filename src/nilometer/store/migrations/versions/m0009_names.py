"""Names of Things and Datastreams are sorted by and looked for: an index for each."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add both."""
    op.create_index(op.f("ix_things_name"), "things", ["name"], unique=False)
    op.create_index(op.f("ix_datastreams_name"), "datastreams", ["name"], unique=False)
