"""Help, versions, and the lists of what is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nilometer import __version__
from tests.cli.conftest import nilometer

COMMANDS = ["demo", "serve", "qc", "assess", "decode", "simulate", "import", "export", "read"]
LISTS = ["drivers", "formats", "instruments", "profiles", "standards", "doctor"]


def test_every_command_of_the_first_issue_is_there_and_explains_itself_with_an_example():
    top = nilometer("--help")
    assert top.code == 0
    for command in COMMANDS + LISTS:
        assert f" {command} " in top.out
        shown = nilometer(command, "-h")
        assert shown.code == 0
        assert "Example: nilometer" in shown.out


def test_the_version_is_said():
    assert nilometer("--version").out == f"nilometer {__version__}\n"


def test_an_unknown_command_or_option_is_bad_usage():
    for arguments in (["frobnicate"], ["read"], ["drivers", "--jsn"], ["serve", "--port", "99999"]):
        assert nilometer(*arguments).code == 2


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("drivers", "modbus_rtu_tcp"),
        ("instruments", "yosemitech_y4000"),
        ("formats", "parquet"),
        ("profiles", "river/ph"),
        ("standards", "GB 3838-2002"),
    ],
)
def test_what_is_installed_is_listed(command, name):
    shown = nilometer(command)
    assert shown.code == 0
    assert name in shown.out
    listed = nilometer(command, "--json").json
    assert name in [item["name"] for item in listed["items"]]
    assert listed["broken"] == {}


def test_help_imports_no_stage():
    code = (
        "import sys; sys.argv = ['nilometer', '--help']\n"
        "from nilometer.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & "
        "{'numba', 'pyarrow', 'sqlalchemy', 'fastapi', 'pint', 'deltalake', 'pymodbus', 'numpy', 'asyncio'}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1].split() in ([], ["asyncio"])


def test_a_reader_that_goes_away_is_no_error():
    ended = subprocess.run(
        f"'{sys.executable}' -m nilometer profiles --json | head -c 1", shell=True, capture_output=True, check=False
    )
    assert ended.stderr == b""
    assert ended.stdout == b"{"
