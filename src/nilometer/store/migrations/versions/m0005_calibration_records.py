"""Standard solutions, and records of what was done to instruments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add both tables; calibrations that are there already have no record, and stay in force."""
    op.create_table(
        "standard_solutions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("uncertainty", sa.Float(53), nullable=True),
        sa.Column("coverage_factor", sa.Float(53), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["first"], ["standard_solutions.id"], name=op.f("fk_standard_solutions_first")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standard_solutions")),
        sqlite_autoincrement=True,
    )
    for column in ("key", "first"):
        op.create_index(op.f(f"ix_standard_solutions_{column}"), "standard_solutions", [column], unique=False)
    op.create_table(
        "calibration_records",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("datastream", sa.Integer(), nullable=False),
        sa.Column("sensor", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("effective", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("readings", sa.String(length=16), nullable=False),
        sa.Column("limit", sa.Float(53), nullable=True),
        sa.Column("limit_percent", sa.Float(53), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("calibration", sa.Integer(), nullable=True),
        sa.Column("expired", sa.JSON(), nullable=False),
        sa.Column("accept_expired", sa.Text(), nullable=False),
        sa.Column("fit", sa.JSON(), nullable=True),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["calibration"], ["calibrations.id"], name=op.f("fk_calibration_records_calibration")),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f("fk_calibration_records_datastream")),
        sa.ForeignKeyConstraint(["first"], ["calibration_records.id"], name=op.f("fk_calibration_records_first")),
        sa.ForeignKeyConstraint(["sensor"], ["sensors.id"], name=op.f("fk_calibration_records_sensor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_records")),
        sqlite_autoincrement=True,
    )
    for name in ("first", "sensor"):
        op.create_index(op.f(f"ix_calibration_records_{name}"), "calibration_records", [name], unique=False)
    op.create_index(
        op.f("ix_calibration_records_datastream_time"), "calibration_records", ["datastream", "time"], unique=False
    )
