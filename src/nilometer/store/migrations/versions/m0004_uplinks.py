"""How far each receiver of an uplink has come, and what became of each period."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both tables; a receiver's row is written when it first runs."""
    op.create_table(
        "uplinks",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_uplinks")),
    )
    op.create_table(
        "uplink_periods",
        sa.Column("uplink", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("request", sa.String(length=32), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("refused", sa.JSON(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["uplink"], ["uplinks.name"], name=op.f("fk_uplink_periods_uplink")),
        sa.PrimaryKeyConstraint("uplink", "kind", "start", name=op.f("pk_uplink_periods")),
    )
    op.create_index(op.f("ix_uplink_periods_state"), "uplink_periods", ["state"], unique=False)
