"""Every point at which a test kills the process: between two things of which the disk may see one without the other.

Nothing here does anything; `Store.on_step` is told of a point when it is reached. A test holds this table against the
source, kills a process at each point, and audits what it left.
"""

from __future__ import annotations

__all__ = ["POINTS"]

POINTS: dict[str, str] = {
    "append.begun": "admitted; nothing of the commit is in the journal",
    "append.synced": "in the journal, acknowledged to nobody",
    "append.applied": "visible to readers, acknowledged to nobody",
    "delete.begun": "nothing of the tombstone is in the journal",
    "delete.synced": "the tombstone is in the journal; its row of the audit trail is owed",
    "delete.applied": "readers see no deleted row; its row of the audit trail is owed",
    "delete.audited": "all of a delete is done, acknowledged to nobody",
    "seal.planned": "the plan of the seal is in the journal; the lake knows nothing",
    "seal.written": "Parquet files that no commit speaks of",
    "seal.revisions": "`revisions` is one seal ahead",
    "seal.observations": "the lake has reached the seal; memory has not",
    "seal.swapped": "memory too; the index is that of the seal before",
    "seal.index": "the records that were sealed are in the journal still",
    "seal.dropped": "the records have left the journal",
    "compact.rewritten": "a file without hidden rows, which no commit speaks of",
    "compact.written": "a merged file that no commit speaks of",
    "compact.merged": "the lake has the merged file; memory has those that it was made of",
    "compact.swept": "files that left the lake are gone",
    "rewrite.written": "a file with other values of its rows, which no commit speaks of",
    "rewrite.begun": "an empty commit with the sequence that these rows bear; the lake knows nothing of it",
    "rewrite.shown": "the lake has them, every reader sees them, acknowledged to nobody",
    "backup.lake": "the files of the lake are in the backup",
    "backup.log": "a Delta log for them too",
    "backup.state": "the states of the stages too",
    "backup.journal": "the journal up to the cut too",
    "backup.catalog": "the catalog as it was at the cut too",
    "backup.durable": "all of it is durable; there is no manifest",
    "backup.manifest": "the backup is whole",
    "restore.files": "files in a folder that does not open",
    "restore.journal": "the journal too",
    "restore.catalog": "the catalog in its database too",
    "restore.version": "the folder opens; the mark of the restore is there still",
}
"""What is there and what is not, by the name of the point."""
