"""Entities that were deleted, and deep inserts that are under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_KINDS = ("things", "sensors", "observed_properties", "datastreams", "features_of_interest")


def upgrade() -> None:
    """Add the column and the table."""
    for name in _KINDS:
        op.add_column(name, sa.Column("deleted", sa.BigInteger(), nullable=True))
    op.create_table(
        "insertions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insertions")),
        sqlite_autoincrement=True,
    )
