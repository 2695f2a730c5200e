"""Manual review: its history, what it made, and events that somebody entered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# SQLite changes a table by making it anew: ids of deleted rows must still never be given out again.
_KEPT = {"sqlite_autoincrement": True}
_REMADE = ("events", "provenance")


def upgrade() -> None:
    """Add the history, and the columns that point to it."""
    connection = op.get_bind()
    given: dict[str, int] = {}
    if connection.dialect.name == "sqlite":
        found = connection.execute(sa.text("SELECT name, seq FROM sqlite_sequence")).all()
        given = {str(row[0]): int(row[1]) for row in found}
    _upgrade()
    for name in _REMADE:
        if name in given:
            values = {"name": name, "seq": given[name]}
            connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES (:name, :seq)"), values)


def _upgrade() -> None:
    with op.batch_alter_table("events", table_kwargs=_KEPT) as events:
        events.add_column(sa.Column("end", sa.BigInteger(), nullable=True))
        events.add_column(sa.Column("datastreams", sa.JSON(), nullable=True))
        events.add_column(sa.Column("actor", sa.Text(), nullable=True))
        events.add_column(sa.Column("note", sa.Text(), nullable=True))
        events.add_column(sa.Column("entered", sa.BigInteger(), nullable=True))
        events.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        events.add_column(sa.Column("first", sa.Integer(), nullable=True))
        events.add_column(sa.Column("withdrawn", sa.Boolean(), nullable=True))
        events.create_index(op.f("ix_events_first"), ["first"], unique=False)
        events.create_foreign_key(op.f("fk_events_first"), "events", ["first"], ["id"])
    op.create_table(
        "review_steps",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Integer(), nullable=True),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], name=op.f("fk_review_steps_event")),
        sa.ForeignKeyConstraint(["undoes"], ["review_steps.id"], name=op.f("fk_review_steps_undoes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_steps")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("provenance", table_kwargs=_KEPT) as provenance:
        provenance.add_column(sa.Column("review", sa.Integer(), nullable=True))
        provenance.add_column(sa.Column("steps", sa.Text(), nullable=True))
        provenance.create_foreign_key(op.f("fk_provenance_review"), "review_steps", ["review"], ["id"])
