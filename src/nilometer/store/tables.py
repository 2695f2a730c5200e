"""The tables of the catalog, as SQLAlchemy Core MetaData: what they hold and how they hang together.

The catalog never holds an Observation; those are in the journal and in the lake. Times are int64 µs since 1970 UTC.
A new catalog gets exactly these tables; the migrations in `migrations/` bring an older one to them, and a test
compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "METADATA",
    "audit",
    "calibration_records",
    "calibrations",
    "commits",
    "datastreams",
    "datastreams_observed_properties",
    "definitions",
    "events",
    "features_of_interest",
    "folder",
    "historical_locations",
    "historical_locations_locations",
    "insertions",
    "locations",
    "observed_properties",
    "profile_versions",
    "provenance",
    "review_steps",
    "sensors",
    "standard_solutions",
    "things",
    "things_locations",
    "trial_results",
    "trials",
    "uplink_periods",
    "uplinks",
]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables; every constraint has a name, so that a migration can speak of it."""

# sqlite_autoincrement: ids of deleted rows are never given out again, for the lake may still speak of them.


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _deleted() -> Column[int | None]:
    """Return the column that says when (µs UTC) an entity was deleted.

    Its row stays, for rows of the lake, calibrations and the history of `as_of` speak of it; its key is free again.
    """
    return Column("deleted", BigInteger)


things = Table(
    "things",
    METADATA,
    _id(),
    Column("key", String(255), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("water_body", String(32), nullable=False),
    Column("target_class", String(32)),
    Column("time_zone", String(64), nullable=False),
    Column("properties", JSON, nullable=False),
    Index(None, "name"),
    _deleted(),
    comment="Stations, buoys, discharges, tanks.",
    sqlite_autoincrement=True,
)

locations = Table(
    "locations",
    METADATA,
    _id(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("encoding_type", String(255), nullable=False),
    Column("location", JSON),
    Column("properties", JSON, nullable=False),
    comment="Where Things stand; location is kept exactly as it was given.",
    sqlite_autoincrement=True,
)

things_locations = Table(
    "things_locations",
    METADATA,
    Column("thing", Integer, ForeignKey("things.id", ondelete="CASCADE"), nullable=False),
    Column("location", Integer, ForeignKey("locations.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    PrimaryKeyConstraint("thing", "location"),
    comment="Where each Thing stands now.",
)

historical_locations = Table(
    "historical_locations",
    METADATA,
    _id(),
    Column("thing", Integer, ForeignKey("things.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    comment="From when on a Thing stood somewhere.",
    sqlite_autoincrement=True,
)

historical_locations_locations = Table(
    "historical_locations_locations",
    METADATA,
    Column("historical_location", Integer, ForeignKey("historical_locations.id", ondelete="CASCADE"), nullable=False),
    Column("location", Integer, ForeignKey("locations.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    PrimaryKeyConstraint("historical_location", "location"),
    comment="The Locations of a HistoricalLocation.",
)

sensors = Table(
    "sensors",
    METADATA,
    _id(),
    Column("key", String(255), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("encoding_type", String(255), nullable=False),
    Column("metadata", JSON),
    Column("properties", JSON, nullable=False),
    _deleted(),
    comment="Instruments: maker, model and serial number are properties.",
    sqlite_autoincrement=True,
)

observed_properties = Table(
    "observed_properties",
    METADATA,
    _id(),
    Column("key", String(255), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("properties", JSON, nullable=False),
    _deleted(),
    comment="Quantities; the key is the vocabulary's where it has one.",
    sqlite_autoincrement=True,
)

datastreams = Table(
    "datastreams",
    METADATA,
    _id(),
    Column("key", String(255), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("thing", Integer, ForeignKey("things.id"), nullable=False, index=True),
    Column("sensor", Integer, ForeignKey("sensors.id"), nullable=False, index=True),
    Column("observed_property", Integer, ForeignKey("observed_properties.id"), nullable=False, index=True),
    Column("unit", Text, nullable=False),
    Column("unit_name", Text),
    Column("unit_symbol", Text),
    Column("unit_definition", Text),
    Column("observation_type", Text, nullable=False),
    Column("origin", String(32), nullable=False),
    Column("profile", Text),
    Column("mark_scheme", Text),
    Column("identity", String(32), nullable=False),
    Column("clock_resolution_us", BigInteger, nullable=False),
    Column("properties", JSON, nullable=False),
    Index(None, "name"),
    _deleted(),
    Column("unit_of_measurements", JSON(none_as_null=True)),
    Column("multi_observation_data_types", JSON(none_as_null=True)),
    comment="One observed property of one Thing by one Sensor; or several, of a MultiDatastream: it has "
    "unit_of_measurements, and observed_property is its first.",
    sqlite_autoincrement=True,
)

datastreams_observed_properties = Table(
    "datastreams_observed_properties",
    METADATA,
    Column("datastream", Integer, ForeignKey("datastreams.id"), primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("observed_property", Integer, ForeignKey("observed_properties.id"), nullable=False, index=True),
    comment="What MultiDatastreams observe, in the order of their results; a property may come twice.",
)

features_of_interest = Table(
    "features_of_interest",
    METADATA,
    _id(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("encoding_type", String(255), nullable=False),
    Column("feature", JSON),
    Column("sample_kind", Integer, nullable=False),
    Column("thing", Integer, ForeignKey("things.id")),
    Column("datastream", Integer, ForeignKey("datastreams.id")),
    Column("properties", JSON, nullable=False),
    _deleted(),
    Index(None, "thing", "sample_kind"),
    UniqueConstraint("datastream", "sample_kind"),
    comment="Waters (sample_kind 0), and the standards and samples that never count as water; datastream is set where "
    "a sample belongs to one Datastream.",
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    METADATA,
    _id(),
    Column("datastream", Integer, ForeignKey("datastreams.id"), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("document", JSON, nullable=False),
    Index(None, "datastream", "valid_from"),
    comment="Dated maps from raw result to quantity, each a whole document; never changed, only followed by others.",
    sqlite_autoincrement=True,
)

standard_solutions = Table(
    "standard_solutions",
    METADATA,
    _id(),
    Column("key", String(255), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("quantity", String(255), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("unit", Text, nullable=False),
    Column("uncertainty", Float(53)),
    Column("coverage_factor", Float(53), nullable=False),
    Column("lot", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("opened", BigInteger),
    Column("expires", BigInteger),
    Column("comment", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("entered", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("first", Integer, ForeignKey("standard_solutions.id"), index=True),
    Column("withdrawn", Boolean, nullable=False),
    comment="Standard solutions and other materials with an assigned value. A row is a version and never changed; "
    "first is the first version, the newest counts, sequence is the commit from which on it does.",
    sqlite_autoincrement=True,
)

calibration_records = Table(
    "calibration_records",
    METADATA,
    _id(),
    Column("kind", String(32), nullable=False),
    Column("datastream", Integer, ForeignKey("datastreams.id"), nullable=False),
    Column("sensor", Integer, ForeignKey("sensors.id"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("effective", BigInteger, nullable=False),
    Column("operator", Text, nullable=False),
    Column("points", JSON, nullable=False),
    Column("readings", String(16), nullable=False),
    Column("limit", Float(53)),
    Column("limit_percent", Float(53)),
    Column("outcome", JSON, nullable=False),
    Column("passed", Boolean),
    Column("valid_until", BigInteger),
    Column("calibration", Integer, ForeignKey("calibrations.id")),
    Column("expired", JSON, nullable=False),
    Column("accept_expired", Text, nullable=False),
    Column("fit", JSON),
    Column("attachments", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("entered", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("first", Integer, ForeignKey("calibration_records.id"), index=True),
    Column("withdrawn", Boolean, nullable=False),
    Index(None, "datastream", "time"),
    comment="What was done to an instrument and found: zero, span, check, verification, adjustment. Versions as in "
    "standard_solutions; calibration is what the record puts into force, in force while the newest version names it.",
    sqlite_autoincrement=True,
)

profile_versions = Table(
    "profile_versions",
    METADATA,
    _id(),
    Column("name", String(255), nullable=False),
    Column("version", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("name", "digest"),
    comment="QC profiles exactly as they judged; digest is the SHA-256 of version and document.",
    sqlite_autoincrement=True,
)

definitions = Table(
    "definitions",
    METADATA,
    _id(),
    Column("datastream", Integer, ForeignKey("datastreams.id"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("source", String(16), nullable=False),
    Column("document", JSON, nullable=False),
    comment="How derived Datastreams are made, each version a whole document; the last of a Datastream holds, an empty "
    "one says that it is derived no more. source is config or api.",
    sqlite_autoincrement=True,
)

provenance = Table(
    "provenance",
    METADATA,
    _id(),
    Column("calibration", Integer, ForeignKey("calibrations.id")),
    Column("profile_version", Integer, ForeignKey("profile_versions.id")),
    Column("source", Text, nullable=False),
    Column("code_version", String(64), nullable=False),
    Column("review", Integer, ForeignKey("review_steps.id")),
    Column("steps", Text),
    Column("definition", Integer, ForeignKey("definitions.id")),
    Index(None, "calibration", "profile_version"),
    comment="What made a row of the lake what it is; the column provenance of an Observation points here. review is "
    "the last step of a manual review that made the row, steps are all of them: their ids by commas. definition is how "
    "a derived row was made.",
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    METADATA,
    _id(),
    Column("thing", Integer, ForeignKey("things.id")),
    Column("datastream", Integer, ForeignKey("datastreams.id")),
    Column("time", BigInteger, nullable=False, index=True),
    Column("kind", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("end", BigInteger),
    Column("datastreams", JSON),
    Column("actor", Text),
    Column("note", Text),
    Column("entered", BigInteger),
    Column("sequence", BigInteger),
    Column("first", Integer, ForeignKey("events.id"), index=True),
    Column("withdrawn", Boolean),
    comment="What happened to a Thing or a Datastream: silent, back, configured; and what somebody entered: "
    "maintenance, cleaning. Those have an actor and the moment they were entered; first is the first version of what "
    "was edited, and the newest version counts.",
    sqlite_autoincrement=True,
)

review_steps = Table(
    "review_steps",
    METADATA,
    _id(),
    Column("action", String(32), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("comment", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("event", Integer, ForeignKey("events.id")),
    Column("undoes", Integer, ForeignKey("review_steps.id")),
    Column("sequence", BigInteger, nullable=False),
    Column("is_applied", Boolean, nullable=False),
    Column("rows", BigInteger, nullable=False),
    comment="The history of manual review, in order: what was done to which span, by whom, when and why. sequence is "
    "the commit that made it so; a step that is not applied yet is finished at the next start.",
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    METADATA,
    _id(),
    Column("time", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    comment="Who changed what in the catalog, and when.",
    sqlite_autoincrement=True,
)

commits = Table(
    "commits",
    METADATA,
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("first_time", BigInteger, nullable=False, index=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    comment="When sealed commits became visible, thinned to a second, one packed span a seal: the clock of as_of.",
)

folder = Table(
    "folder",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("path", Text, nullable=False),
    comment="The data folder that the catalog belongs to: one row. path is where it lay when it was last opened.",
)

uplinks = Table(
    "uplinks",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("receiver", String(64), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("position", JSON, nullable=False),
    comment="How far each receiver has come: since is the moment (µs UTC) from which on it is owed anything, position "
    "is what its kind writes there. A name that is configured again goes on where it was.",
)

uplink_periods = Table(
    "uplink_periods",
    METADATA,
    Column("uplink", String(200), ForeignKey("uplinks.name"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("end", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("request", String(32), nullable=False),
    Column("body", JSON),
    Column("rows", Integer, nullable=False),
    Column("refused", JSON, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent", BigInteger),
    Column("time", BigInteger, nullable=False),
    Column("is_late", Boolean, nullable=False),
    comment="What became of each period towards each receiver. body is what was put on the wire, kept until it is "
    "answered, so that it is sent again as it was; sequence is the last commit it was made of; is_late says that rows "
    "came after it was sent.",
)

trials = Table(
    "trials",
    METADATA,
    _id(),
    Column("plan", JSON, nullable=False),
    Column("history", JSON),
    Column("created", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    comment="Trials of sensors. plan is the document as it was given; history, null until it is frozen, is the chain "
    "of the entry that froze it and its amendments, each with its hash.",
    sqlite_autoincrement=True,
)

trial_results = Table(
    "trial_results",
    METADATA,
    _id(),
    Column("trial", Integer, ForeignKey("trials.id"), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("plots", JSON, nullable=False),
    comment="Every run of a trial, the last one counts: as_of is the moment of which it saw the data, plots what is "
    "drawn of it.",
    sqlite_autoincrement=True,
)

insertions = Table(
    "insertions",
    METADATA,
    _id(),
    Column("time", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    comment="Deep inserts whose entities are here and whose Observations are not durable yet: what to take back if "
    "they never come. Empty, but for moments.",
    sqlite_autoincrement=True,
)
