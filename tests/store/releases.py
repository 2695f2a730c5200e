"""What a data folder reads as, in words that every release understands; and the folders kept of former releases."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pyarrow as pa

from nilometer.model.schemas import OBSERVATION
from nilometer.store import Store

SHORT = ("id", "phenomenon_time", "result", "result_quality", "commit")
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "store"


def unpack(release: str, folder: Path) -> Path:
    """Unpack the folder of a release, as a crash of its server left it."""
    with tarfile.open(VECTORS / release / "folder.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


def reading(store: Store, moments: list[int]) -> dict[str, object]:
    """Return all that a reader can see of a store, as JSON takes it."""
    snapshot, catalog = store.snapshot(), store.catalog
    everything = {"water_only": False}
    state = store.load_state("qc")
    return {
        "sequence": store.sequence(),
        "things": [thing.key for thing in catalog.things()],
        "datastreams": {item.key: item.id for item in catalog.datastreams()},
        "rows": _rows(snapshot.read(**everything)),
        "versions": _rows(snapshot.versions([item.id for item in catalog.datastreams()]), SHORT),
        "as_of": {str(moment): _rows(store.snapshot(moment).read(**everything), SHORT) for moment in moments},
        "commits": {str(moment): store.commit_at(moment) for moment in moments},
        "count": snapshot.count(**everything),
        "latest": _rows(snapshot.latest()),
        "extents": {item.key: snapshot.extent(item.id) for item in catalog.datastreams()},
        "steps": [[step.id, step.action, step.parameters, step.is_applied] for step in catalog.reviews.steps()],
        "state": None if state is None else [state[0], hashlib.sha256(state[1]).hexdigest()],
    }


def _rows(table: pa.Table, names: tuple[str, ...] = tuple(OBSERVATION.names)) -> dict[str, list[object]]:
    """Return columns that say something."""
    found = {}
    for name in names:
        if name in table.schema.names and table[name].null_count < table.num_rows:
            column = table[name]
            found[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return found
