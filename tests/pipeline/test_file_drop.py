"""A watched folder through the whole pipeline: a file that is read again, or grows, makes nothing twice."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.conftest import RIVER, ids, running, stored, until, values

HEAD = "time,ph\n"
KEY = "river/ph"


def lines(first: int, last: int) -> str:
    return "".join(f"2024-05-01T10:{n:02}:00Z,7.{n}\n" for n in range(first, last))


async def test_a_file_that_is_read_again_after_a_restart_or_has_grown_adds_only_what_is_new(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    file = drop / "log.csv"
    file.write_text(HEAD + lines(0, 5))
    options = {"path": str(drop), "complete": "grows", "poll_interval_s": 0.02}
    config = {
        "thing": [RIVER],
        "source": [{"name": "logs", "driver": "file_drop", "thing": "river", "options": options}],
    }
    for last in (5, 8):
        async with running(tmp_path / "data", config) as pipeline:
            await pipeline.start_sources()
            await until(lambda: pipeline.sources()[0].received >= last)  # noqa: B023 -- awaited in this turn
            with file.open("a") as more:
                more.write(lines(last, last + 3))
            await until(lambda: KEY in ids(pipeline) and stored(pipeline, KEY).num_rows == last + 3)  # noqa: B023
            assert values(pipeline, KEY) == [float(f"7.{n}") for n in range(last + 3)]
            rows = stored(pipeline, KEY)["id"].to_pylist()
            assert len(set(rows)) == len(rows) == last + 3
