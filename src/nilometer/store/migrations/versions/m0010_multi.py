"""MultiDatastreams: Datastreams of several observed properties, in their order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_NAME = "datastreams_observed_properties"


def upgrade() -> None:
    """Add columns and table; a Datastream without the columns stays what it was."""
    for name in ("unit_of_measurements", "multi_observation_data_types"):
        op.add_column("datastreams", sa.Column(name, sa.JSON(), nullable=True))
    observed = sa.ForeignKeyConstraint(
        ["observed_property"], ["observed_properties.id"], name=op.f(f"fk_{_NAME}_observed_property")
    )
    op.create_table(
        _NAME,
        sa.Column("datastream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("observed_property", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f(f"fk_{_NAME}_datastream")),
        observed,
        sa.PrimaryKeyConstraint("datastream", "ordinal", name=op.f(f"pk_{_NAME}")),
    )
    op.create_index(op.f(f"ix_{_NAME}_observed_property"), _NAME, ["observed_property"], unique=False)
