"""From a public network into the store: flagged by its own marks, and revised when the agency revises."""

from __future__ import annotations

import json

import pytest

from nilometer.config import parse
from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.pipeline import wall_clock
from nilometer.pipeline.checking import check_config
from tests.acquisition.web_server import answer, serving
from tests.pipeline.conftest import RIVER, running, stored, until

VALUES = [("2024-05-01T11:45:00Z", "14.5", "P"), ("2024-05-01T11:30:00Z", "14.6", "P,e")]


def document(values):
    said = [{"value": v, "qualifiers": q.split(","), "dateTime": t} for t, v, q in values]
    variable = {"variableCode": [{"value": "00010"}], "unit": {"unitCode": "deg C"}, "noDataValue": -999999.0}
    return answer(json.dumps({"value": {"timeSeries": [{"variable": variable, "values": [{"value": said}]}]}}))


async def test_an_approved_value_is_a_revision_of_the_provisional_one(tmp_path):
    served = [VALUES]
    async with serving(lambda _: document(served[0])) as server:
        fast = {"poll_interval_s": 0.05, "reconnect_first_s": 0.05}
        options = {"base_url": server.url, "sites": ["01646500"], "history_days": 3650, **fast}
        source = {"name": "usgs", "driver": "usgs", "thing": "river", "options": options}
        async with running(tmp_path, {"thing": [RIVER], "source": [source]}) as pipeline:
            await pipeline.start_sources()
            await until(lambda: len(pipeline.store.catalog.datastreams()) == 1 and stored(pipeline).num_rows == 2)
            assert stored(pipeline)["mark"].to_pylist() == ["P,e", "P"]
            suspect = int(QartodFlag.SUSPECT)
            assert stored(pipeline)["result_quality"].to_pylist()[0] == suspect  # e: estimated
            served[0] = [("2024-05-01T11:45:00Z", "14.2", "A"), ("2024-05-01T11:30:00Z", "14.6", "A")]
            await until(lambda: stored(pipeline)["mark"].to_pylist() == ["A", "A"])
            assert stored(pipeline)["result"].to_pylist() == [14.6, 14.2]
            assert stored(pipeline).num_rows == 2
            assert suspect not in stored(pipeline)["result_quality"].to_pylist()


def test_a_table_of_marks_that_is_not_there_is_refused_before_anything_starts():
    options = {"base_url": "http://127.0.0.1:1/v1.1", "things": [1], "mark_scheme": "usg"}
    source = {"name": "s", "driver": "sensorthings", "thing": "river", "options": options}
    with pytest.raises(ConfigError, match=r"source\[0\].options.mark_scheme = 'usg'; did you mean usgs"):
        check_config(parse({"thing": [RIVER], "source": [source]}), wall_clock)
