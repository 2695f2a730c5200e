"""Derived Datastreams: the versions of their definitions, and the column of the provenance that points to one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add both; a Datastream without a definition stays what it was."""
    op.create_table(
        "definitions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("datastream", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f("fk_definitions_datastream")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definitions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_definitions_datastream"), "definitions", ["datastream"], unique=False)
    connection = op.get_bind()
    given: int | None = None
    if connection.dialect.name == "sqlite":
        # SQLite makes the table anew: ids of deleted rows must still never be given out again.
        given = connection.execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'provenance'")).scalar()
    with op.batch_alter_table("provenance", table_kwargs={"sqlite_autoincrement": True}) as provenance:
        provenance.add_column(sa.Column("definition", sa.Integer(), nullable=True))
        provenance.create_foreign_key(op.f("fk_provenance_definition"), "definitions", ["definition"], ["id"])
    if given is not None:
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'provenance'"))
        connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('provenance', :seq)"), {"seq": given})
