"""Make the data folder of this release, as a crash of its server leaves it: `python tests/vectors/store/make.py`.

Run with the code of the release, once; what it wrote is then never made again. From the repository's root, so that
`tests` can be imported. A folder version that is left between two releases has its number in the name.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.pipeline.conftest import MINUTE, NOON, RIVER, rows
from tests.store.releases import VECTORS, reading

from nilometer import __version__
from nilometer.config import parse
from nilometer.pipeline import Pipeline
from nilometer.pipeline.review_orders import Order
from nilometer.store.folder import FOLDER_VERSION

CERTIFICATE = {"kind": "polynomial", "coefficients": [0.25, 1.5], "valid_from": "2024-01-01T00:00:00Z"}
CONFIG = {
    "store": {"seal_every_s": 3600.0},
    "thing": [RIVER],
    "datastream": [
        {"key": "river/ph", "thing": "river", "property": "ph"},
        {"key": "river/do", "thing": "river", "property": "dissolved_oxygen", "calibrations": [CERTIFICATE]},
        {"key": "river/level", "thing": "river", "property": "water_surface_height_above_reference_datum"},
    ],
}
# Two hours before the end of a month, so that the lake has two partitions.
START = NOON + 30 * 1440 * MINUTE + 600 * MINUTE


class Clock:
    """Moves on half a minute a look, so that every commit is told from its neighbours for ever."""

    def __init__(self):
        self.now = START

    def __call__(self):
        self.now += MINUTE // 2
        return self.now


async def fill(pipeline, moments):
    store = pipeline.store
    ph, oxygen, level = (item.id for item in store.catalog.datastreams())
    wave = 7.0 + 0.05 * np.round(np.sin(np.arange(240) / 9), 2)
    spiked = np.where(np.arange(240) == 70, 12.5, wave)
    await pipeline.ingest(rows(ph, START, spiked))
    await pipeline.ingest(rows(oxygen, START, np.round(wave * 0.5, 3)))
    moments.append(store._now())
    corrected = wave[100:104] + 0.5
    await pipeline.ingest(rows(ph, START + 100 * MINUTE, corrected))
    store.delete([oxygen], START + 30 * MINUTE, START + 50 * MINUTE)
    moments.append(store._now())
    pipeline._save_state()
    store.seal()
    # From here on it stays in the journal: rows, a revision of a sealed row, one of a hot row, a late row, a
    # tombstone over sealed and hot rows, a step of a review.
    await pipeline.ingest(rows(level, START + 100 * MINUTE, np.round(2 + wave / 10, 3)[:60]))
    await pipeline.ingest(rows(ph, START + 10 * MINUTE, [6.5]))
    moments.append(store._now())
    await pipeline.ingest(rows(ph, START + 240 * MINUTE, [7.01, 7.02, float("nan"), 7.04]))
    await pipeline.ingest(rows(ph, START + 241 * MINUTE, [7.5]))
    await pipeline.ingest(rows(oxygen, START - 5 * MINUTE, [3.5]))
    store.delete([level, oxygen], START + 120 * MINUTE, START + 125 * MINUTE)
    moments.append(store._now())
    order = Order(
        action="offset",
        datastreams=["river/ph"],
        start=START + 150 * MINUTE,
        end=START + 155 * MINUTE,
        parameters={"offset": 0.25},
        by="Li",
        reason="other",
        comment="vector",
    )
    await pipeline.review(order)
    moments.append(store._now())


async def main():
    target = VECTORS / (__version__ if FOLDER_VERSION == 1 else f"{__version__}-folder{FOLDER_VERSION}")
    if target.exists() and any(target.iterdir()):
        raise SystemExit(f"{target} is there already, and is never made again")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        live, copied = Path(place) / "live", Path(place) / "data"
        pipeline = Pipeline(live, parse(CONFIG))
        pipeline.store._now = Clock()
        await pipeline.start()
        moments = []
        await fill(pipeline, moments)
        # Nothing moves now; what lies there is what a kill would leave, the write-ahead logs included.
        shutil.copytree(live, copied, ignore=shutil.ignore_patterns("*-shm"))
        golden = {"moments": moments, "reading": reading(pipeline.store, moments)}
        await pipeline.close()
        (copied / "lock").write_bytes(b"")
        with tarfile.open(target / "folder.tar.xz", "w:xz", preset=9) as archive:
            archive.add(copied, "data", filter=anonymous)
    text = json.dumps(golden, ensure_ascii=False)
    (target / "golden.json").write_text(text + "\n", encoding="utf-8")


def anonymous(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    asyncio.run(main())
