"""The first catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_time"), "audit", ["time"], unique=False)
    op.create_table(
        "commits",
        sa.Column("first_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_time", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_sequence", name=op.f("pk_commits")),
    )
    op.create_index(op.f("ix_commits_first_time"), "commits", ["first_time"], unique=False)
    op.create_table(
        "locations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("encoding_type", sa.String(length=255), nullable=False),
        sa.Column("location", sa.JSON(), nullable=True),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locations")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "observed_properties",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_properties")),
        sa.UniqueConstraint("key", name=op.f("uq_observed_properties_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "profile_versions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_versions")),
        sa.UniqueConstraint("name", "digest", name=op.f("uq_profile_versions_name_digest")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sensors",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("encoding_type", sa.String(length=255), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensors")),
        sa.UniqueConstraint("key", name=op.f("uq_sensors_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "things",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("water_body", sa.String(length=32), nullable=False),
        sa.Column("target_class", sa.String(length=32), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_things")),
        sa.UniqueConstraint("key", name=op.f("uq_things_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "datastreams",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("thing", sa.Integer(), nullable=False),
        sa.Column("sensor", sa.Integer(), nullable=False),
        sa.Column("observed_property", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_name", sa.Text(), nullable=True),
        sa.Column("unit_symbol", sa.Text(), nullable=True),
        sa.Column("unit_definition", sa.Text(), nullable=True),
        sa.Column("observation_type", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("mark_scheme", sa.Text(), nullable=True),
        sa.Column("identity", sa.String(length=32), nullable=False),
        sa.Column("clock_resolution_us", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observed_property"], ["observed_properties.id"], name=op.f("fk_datastreams_observed_property")
        ),
        sa.ForeignKeyConstraint(["sensor"], ["sensors.id"], name=op.f("fk_datastreams_sensor")),
        sa.ForeignKeyConstraint(["thing"], ["things.id"], name=op.f("fk_datastreams_thing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datastreams")),
        sa.UniqueConstraint("key", name=op.f("uq_datastreams_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_datastreams_observed_property"), "datastreams", ["observed_property"], unique=False)
    op.create_index(op.f("ix_datastreams_sensor"), "datastreams", ["sensor"], unique=False)
    op.create_index(op.f("ix_datastreams_thing"), "datastreams", ["thing"], unique=False)
    op.create_table(
        "historical_locations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("thing", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thing"], ["things.id"], name=op.f("fk_historical_locations_thing"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historical_locations")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_historical_locations_thing"), "historical_locations", ["thing"], unique=False)
    op.create_table(
        "things_locations",
        sa.Column("thing", sa.Integer(), nullable=False),
        sa.Column("location", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["location"], ["locations.id"], name=op.f("fk_things_locations_location"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["thing"], ["things.id"], name=op.f("fk_things_locations_thing"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("thing", "location", name=op.f("pk_things_locations")),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("datastream", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f("fk_calibrations_datastream")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_calibrations_datastream_valid_from"), "calibrations", ["datastream", "valid_from"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("thing", sa.Integer(), nullable=True),
        sa.Column("datastream", sa.Integer(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f("fk_events_datastream")),
        sa.ForeignKeyConstraint(["thing"], ["things.id"], name=op.f("fk_events_thing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_time"), "events", ["time"], unique=False)
    op.create_table(
        "features_of_interest",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("encoding_type", sa.String(length=255), nullable=False),
        sa.Column("feature", sa.JSON(), nullable=True),
        sa.Column("sample_kind", sa.Integer(), nullable=False),
        sa.Column("thing", sa.Integer(), nullable=True),
        sa.Column("datastream", sa.Integer(), nullable=True),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["datastream"], ["datastreams.id"], name=op.f("fk_features_of_interest_datastream")),
        sa.ForeignKeyConstraint(["thing"], ["things.id"], name=op.f("fk_features_of_interest_thing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_features_of_interest")),
        sa.UniqueConstraint("datastream", "sample_kind", name=op.f("uq_features_of_interest_datastream_sample_kind")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_features_of_interest_thing_sample_kind"),
        "features_of_interest",
        ["thing", "sample_kind"],
        unique=False,
    )
    op.create_table(
        "historical_locations_locations",
        sa.Column("historical_location", sa.Integer(), nullable=False),
        sa.Column("location", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["historical_location"],
            ["historical_locations.id"],
            name=op.f("fk_historical_locations_locations_historical_location"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["location"], ["locations.id"], name=op.f("fk_historical_locations_locations_location"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("historical_location", "location", name=op.f("pk_historical_locations_locations")),
    )
    op.create_table(
        "provenance",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("calibration", sa.Integer(), nullable=True),
        sa.Column("profile_version", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code_version", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["calibration"], ["calibrations.id"], name=op.f("fk_provenance_calibration")),
        sa.ForeignKeyConstraint(
            ["profile_version"], ["profile_versions.id"], name=op.f("fk_provenance_profile_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenance")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_provenance_calibration_profile_version"),
        "provenance",
        ["calibration", "profile_version"],
        unique=False,
    )
