from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer import errors
from nilometer.errors import ConfigError, NilometerError, near
from nilometer.web.statuses import status_of

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NilometerError)]
RETRYABLE = {"LinkError", "LinkTimeout", "StoreFull", "StoreUnwritable", "Overloaded", "RateLimited"}
FIELDS = {
    "ConfigError": {"seen": 5, "allowed": ["a", "b"], "file": Path("x.toml"), "reason": "so"},
    "LinkError": {"link": "tcp://127.0.0.1:502"},
    "LinkTimeout": {"link": "tcp://127.0.0.1:502"},
    "FrameError": {"frame": b"\x01\x03", "offset": 7},
    "ChecksumError": {"frame": b"\x01\x03", "offset": 7},
    "ReadError": {"path": Path("a.csv"), "line": 3, "format": "csv"},
    "CalibrationError": {"sensor": "s1", "certificate": "c1"},
    "RateLimited": {"wait_s": 2.5},
    "MethodNotAllowed": {"place": "method", "allowed": "GET, HEAD"},
    "StoreLocked": {"address": "http://127.0.0.1:8080"},
    **{
        name: {"place": "$.thing"}
        for name in ("RequestError", "NotSupported", "TooLarge", "WrongMediaType", "NotAuthorized")
    },
}


def make(kind):
    return kind("what failed", **FIELDS.get(kind.__name__, {}))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_the_same_after_pickling(kind):
    error = make(kind)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        assert again.retryable == error.retryable


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_failed_and_where(kind):
    error = make(kind)
    text = str(error)
    assert "what failed" in text
    for name, value in FIELDS.get(kind.__name__, {}).items():
        if name not in {"frame", "offset", "format", "address", "allowed"}:
            assert str(value) in text, name
        if name != "allowed":
            assert getattr(error, name) == value


def test_only_what_may_work_later_is_retryable():
    assert {kind.__name__ for kind in KINDS if kind.retryable} == RETRYABLE


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status_and_a_place_in_the_tree(kind):
    assert 400 <= status_of(make(kind)) < 600
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__name__ in errors.__all__


@pytest.mark.parametrize("kind", ["ConfigError", "UnitError", "RequestError"])
def test_an_error_of_a_value_is_a_value_error_too(kind):
    assert issubclass(getattr(errors, kind), ValueError)


def test_not_found_is_a_key_error_that_does_not_quote():
    error = errors.NotFound("there is no Thing 'x'")
    assert isinstance(error, KeyError)
    assert str(error) == "there is no Thing 'x'"
    assert str(errors.NotFound()) == ""


def test_a_config_error_names_file_key_value_near_and_allowed():
    error = ConfigError("source[0].driver", seen="modbus_tpc", allowed=["nmea0183", "modbus_tcp"], file="n.toml")
    assert str(error) == (
        "n.toml: source[0].driver = 'modbus_tpc'; did you mean modbus_tcp? (allowed: modbus_tcp, nmea0183)"
    )
    assert error.near == ("modbus_tcp",)
    assert str(ConfigError("port", seen=0, allowed="1 to 65535", reason="too small")) == (
        "port = 0: too small (allowed: 1 to 65535)"
    )
    assert str(ConfigError("port")) == "port"


def test_many_allowed_names_are_cut():
    text = str(ConfigError("zone", seen="x9", allowed=[f"name{n:03}" for n in range(100)]))
    assert text.endswith("name039, …)")


@given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=20))
def test_near_names_are_among_the_known_and_at_most_three(seen, known):
    found = near(seen, known)
    assert set(found) <= set(known)
    assert len(found) <= 3


def test_near_looks_past_case():
    assert near("MODBUS_TCP", ["modbus_tcp"]) == ("modbus_tcp",)
