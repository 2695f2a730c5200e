"""What the virtual station makes of its water."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from nilometer.acquisition.protocols.hj212 import parse_segment
from nilometer.acquisition.simulators.feed import ConstantFeed, FunctionFeed
from nilometer.acquisition.simulators.hj212_uploads import Uploads
from nilometer.acquisition.simulators.simulator import Reading
from nilometer.errors import ConfigError

CHINA = ZoneInfo("Asia/Shanghai")
BEGAN = 1_717_171_200_000_000  # 2024-06-01T00:00:00+08:00
MINUTE = 60_000_000


def uploads(feed, **options):
    settings = {"edition": "2017", "answered": True, "minute_min": None, "hours": False, "days": False} | options
    return Uploads(feed, CHINA, header={"ST": "21", "PW": "123456", "MN": "A1"}, **settings)


def test_real_time_data_are_what_the_receiver_reads():
    feed = ConstantFeed({"codmn": Reading(3.4, time=BEGAN - 4 * 60 * MINUTE, mark="M"), "wind_speed": 5.0})
    (message,) = uploads(feed).at(BEGAN)
    assert parse_segment(message.encode()) == message
    assert message.fields["DataTime"] == "20240601000000"
    assert [(value.code, value.value, value.flag, value.sample_time) for value in message.values] == [
        ("w01019", 3.4, "M", "20240531200000")
    ]


def test_codes_of_2005_and_no_answer_are_as_asked():
    (message,) = uploads(ConstantFeed({"codcr": 31.0}), edition="2005", answered=False).at(BEGAN)
    assert (message.values[0].code, message.flag) == ("011", 0)


def test_interval_data_come_when_the_interval_is_over_and_start_where_it_began():
    feed = FunctionFeed(lambda time: {"flow_rate": float((time - BEGAN) // MINUTE)})
    made = uploads(feed, minute_min=10, hours=True, days=True)
    messages = [message for minute in range(24 * 60 + 1) for message in made.at(BEGAN + minute * MINUTE)]
    by_command = {}
    for message in messages:
        by_command.setdefault(message.command, []).append(message)
    assert [len(by_command[command]) for command in ("2051", "2061", "2031")] == [144, 24, 1]
    first = by_command["2051"][0]
    assert first.fields["DataTime"] == "20240601000000"
    assert {value.statistic: value.value for value in first.values} == {"Cou": 2.7, "Min": 0, "Avg": 4.5, "Max": 9}
    assert by_command["2061"][-1].fields["DataTime"] == "20240601230000"
    assert len({message.request for message in messages}) == len(messages)


def test_an_unknown_edition_is_refused():
    with pytest.raises(ConfigError, match="2018"):
        uploads(ConstantFeed({}), edition="2018")
