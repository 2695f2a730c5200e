from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.config import Config, load, parse
from nilometer.errors import ConfigError
from nilometer.model import Origin, WaterBody

THING = '[[thing]]\nkey = "river"\nname = "River"\n'
SOURCE = '[[source]]\nname = "sonde"\ndriver = "modbus_tcp"\nthing = "river"\n'
DATASTREAM = '[[datastream]]\nkey = "river/ph"\nthing = "river"\nproperty = "ph"\n'

WRONG = [
    # An unknown key, at every depth, with the near names.
    ("[servr]\nport = 1", "servr = 'servr': unknown key; did you mean server"),
    ("[server]\nprt = 1", "server.prt = 'prt': unknown key; did you mean port"),
    ("[store]\nseal_row = 1000", "store.seal_row = 'seal_row': unknown key; did you mean seal_rows"),
    (THING + "nam = 1", "thing[0].nam = 'nam': unknown key; did you mean name or names"),
    (THING + SOURCE.replace("driver", "drivr"), "source[0].drivr = 'drivr': unknown key; did you mean driver"),
    (THING + SOURCE + 'drivr = "x"', "source[0].drivr = 'drivr': unknown key; did you mean driver"),
    (
        THING + SOURCE + '[source.channels.ph]\nprofle = "x"',
        "source[0].channels.ph.profle = 'profle': unknown key; did you mean profile",
    ),
    (THING + DATASTREAM + 'profle = "x"', "datastream[0].profle = 'profle': unknown key; did you mean profile"),
    # A value that cannot be.
    ('thing = "x"', "thing = 'x': input should be an array"),
    ("[server]\nport = 99999", "server.port = 99999: input should be less than or equal to 65535"),
    ("[store]\nseal_every_s = 0", "store.seal_every_s = 0: input should be greater than 0"),
    ('[store]\nkeep_files = "8 d"', "store.keep_files = '8 d': a time up to \"7 d\", such as"),
    ("[store]\nkeep_files = 3600", 'store.keep_files = 3600: a time up to "7 d", such as'),
    ('[store]\nkeep_revisions = "2 h"', "store.keep_revisions = '2 h': \"forever\", or a time from"),
    ("[store]\nseal_rows = 10", "store.seal_rows = 10: input should be greater than or equal to 1000"),
    ('[[thing]]\nkey = "1r"\nname = "x"', "thing[0].key = '1r' (allowed: a letter first"),
    ('[[thing]]\nkey = "a b"\nname = "x"', "thing[0].key = 'a b' (allowed: a letter first"),
    ('[[thing]]\nname = "x"', "thing[0].key: field required"),
    (THING + 'water_body = "rivr"', "thing[0].water_body = 'rivr'; did you mean river?"),
    (THING + 'time_zone = "Asia/Shangai"', "thing[0].time_zone = 'Asia/Shangai'; did you mean Asia/Shanghai"),
    (THING + 'time_zone = "/etc/passwd"', "thing[0].time_zone = '/etc/passwd'"),
    (THING + 'time_zone = ""', "thing[0].time_zone = ''"),
    (THING + "location = [200, 1]", "thing[0].location = (200.0, 1.0) (allowed: [longitude"),
    (THING + "location = [1]", "thing[0].location[1]: field required"),
    (THING + 'location = ["a", 2]', "thing[0].location[0] = 'a': input should be a valid number"),
    (THING + SOURCE + 'origin = "sensor"', "source[0].origin = 'sensor' (allowed: "),
    (THING + DATASTREAM + 'identity = "always"', "datastream[0].identity = 'always': string should match"),
    # A name twice, or of nothing.
    (THING + THING, "thing[1] = 'river': this name is taken twice"),
    (THING + SOURCE + SOURCE, "source[1] = 'sonde': this name is taken twice"),
    (THING + DATASTREAM + DATASTREAM, "datastream[1] = 'river/ph': this name is taken twice"),
    (THING + SOURCE.replace('"river"', '"rive"'), "source[0].thing = 'rive': no such thing; did you mean river"),
    (THING + SOURCE + 'things = { MN1 = "lake" }', "source[0].things.MN1 = 'lake': no such thing (allowed: river)"),
    (SOURCE, "source[0].thing = 'river': no such thing"),
    (THING + DATASTREAM.replace('thing = "river"', 'thing = "rver"'), "datastream[0].thing = 'rver': no such thing"),
    # What is no TOML.
    ("[[thing]\n", "TOML: "),
    ('[[thing]]\nkey = "a"\nkey = "b"\n', "TOML: Cannot overwrite a value (at line 3"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said[:50] for _, said in WRONG])
def test_a_mistake_is_named_with_the_file_the_key_the_value_and_what_would_work(tmp_path, text, said):
    file = tmp_path / "nilometer.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert "pydantic" not in str(caught.value)


def test_a_token_is_never_shown(tmp_path):
    file = tmp_path / "nilometer.toml"
    file.write_text('[server]\ntoken = "secret"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"server\.token: string should have at least 16 characters") as caught:
        load(file)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml': there is no such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[server]\nhost = '\xe9'\n")
    with pytest.raises(ConfigError, match="utf-8"):
        load(tmp_path / "latin.toml")


def test_what_is_left_out_has_its_default():
    config = parse({"thing": [{"key": "河流.1", "name": "河"}]})
    assert config.server.host == "127.0.0.1"
    assert config.things[0].water_body is WaterBody.OTHER
    assert config.things[0].time_zone == "UTC"
    assert parse({}) == Config()


def test_a_whole_file_is_taken_as_it_is_written(tmp_path):
    file = tmp_path / "nilometer.toml"
    file.write_text(
        THING
        + 'water_body = "lake"\ntime_zone = "Asia/Shanghai"\nlocation = [120, 30]\nnames = { zh = "河" }\n'
        + SOURCE
        + 'origin = "simulated"\ndiscover = false\nthings = { a = "river" }\n[source.options]\nhost = "h"\n'
        + '[source.channels."a/ph"]\nignore = true\n'
        + DATASTREAM
        + 'unit = "1"\nmark_scheme = "hj212-2017"\nidentity = "always_new"\n',
        encoding="utf-8",
    )
    config = load(file)
    thing, source, datastream = config.things[0], config.sources[0], config.datastreams[0]
    assert (thing.water_body, thing.location, thing.names) == (WaterBody.LAKE, (120.0, 30.0), {"zh": "河"})
    assert (source.origin, source.discover, source.channels["a/ph"].ignore) == (Origin.SIMULATED, False, True)
    assert (datastream.identity, datastream.mark_scheme) == ("always_new", "hj212-2017")


def test_a_mistake_in_what_came_over_http_names_no_file():
    with pytest.raises(ConfigError) as caught:
        parse({"datastream": [{"key": "x/y", "thing": "x", "property": "ph"}]})
    assert str(caught.value) == "datastream[0].thing = 'x': no such thing"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "name", "thing", "driver", "port", "options", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["server", "store", "thing", "source", "datastream", "x"]), VALUES, max_size=4))
def test_any_content_is_a_config_or_a_config_error(content):
    said = "n.toml: "
    try:
        parse(content, file=Path("n.toml"))
    except ConfigError as error:
        said = str(error)
    assert said.startswith("n.toml: ")
