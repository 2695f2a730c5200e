"""What clients say of entities is looked for: on PostgreSQL an index over the members of each kind's documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_KINDS = ("things", "locations", "sensors", "observed_properties", "datastreams", "features_of_interest")


def upgrade() -> None:
    """Add them; SQLite has none."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name in _KINDS:
        op.create_index(
            op.f(f"ix_{name}_properties"),
            name,
            [sa.text("(properties::jsonb) jsonb_path_ops")],
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        )
