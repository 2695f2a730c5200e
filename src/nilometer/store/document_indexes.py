"""Indexes over the documents of entities, by which PostgreSQL finds those that have a member with a given value.

The columns stay JSON: what a client gave is given back as it was, in its order. The index is of the same document as
JSONB, so a condition has to say ``properties::jsonb @> …`` to be answered by it. SQLite reads a hundred thousand
documents as fast as a page needs, and has no such index.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

__all__ = ["DOCUMENT_INDEXES", "add_document_indexes"]

_KINDS = ("things", "locations", "sensors", "observed_properties", "datastreams", "features_of_interest")
DOCUMENT_INDEXES = {f"ix_{name}_properties": name for name in _KINDS}
"""The table of each: every one whose entities have properties of a client's."""


def add_document_indexes(connection: Connection) -> None:
    """Make them in a new catalog, where it is PostgreSQL's."""
    if connection.dialect.name != "postgresql":
        return
    for index, table in DOCUMENT_INDEXES.items():
        # Without a list of what was inserted last, which every search would have to walk through.
        statement = "CREATE INDEX {} ON {} USING gin ((properties::jsonb) jsonb_path_ops) WITH (fastupdate = off)"
        connection.execute(text(statement.format(index, table)))
