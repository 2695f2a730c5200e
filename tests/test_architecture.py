"""What import-linter cannot check: public names, plug-ins, commands and their documents."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import nilometer
from nilometer import plugins
from nilometer.cli.main import app
from nilometer.pipeline import drivers
from nilometer.pipeline.uplinks import receivers

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    *("assess", "bench", "decode", "demo", "doctor", "drivers", "event", "export", "formats", "import"),
    *(
        "instruments",
        "probe",
        "profiles",
        "qc",
        "rating",
        "read",
        "reprocess",
        "review",
        "schemes",
        "serve",
        "simulate",
        "standards",
        "uplink",
    ),
]


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(nilometer.__path__, "nilometer.")
    return [importlib.import_module(module.name) for module in found if ".migrations" not in module.name]


def test_every_module_says_what_it_is_for_and_its_public_names_exist():
    silent, absent = [], []
    for module in modules():
        if not (module.__doc__ or "").strip():
            silent.append(module.__name__)
        absent += [f"{module.__name__}.{name}" for name in getattr(module, "__all__", ()) if not hasattr(module, name)]
    assert silent == []
    assert absent == []


@pytest.mark.parametrize("name", sorted(drivers().items))
def test_every_driver_has_a_page_that_names_all_its_options(name):
    page = (ROOT / "docs" / "drivers" / f"{name}.md").read_text(encoding="utf-8")
    missing = [option for option in drivers()[name].options.model_fields if f"`{option}`" not in page]
    assert not missing


@pytest.mark.parametrize("name", sorted(receivers().items))
def test_the_page_of_uplinks_names_all_options_of_every_receiver(name):
    page = (ROOT / "docs" / "uplinks.md").read_text(encoding="utf-8")
    missing = [option for option in receivers()[name].options.model_fields if f"`{option}`" not in page]
    assert not missing


@pytest.mark.parametrize(
    ("group", "constant"),
    [("nilometer.drivers", "DRIVER"), ("nilometer.formats", "FORMAT"), ("nilometer.uplinks", "UPLINK")],
)
def test_no_plug_in_of_ours_is_broken(group, constant):
    assert plugins.constants(group, constant).broken == {}


def test_every_command_is_there_and_shows_an_example():
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert f" {command} " in listed
        answer = runner.invoke(app, [command, "--help"])
        assert answer.exit_code == 0
        assert "Example:" in answer.output, command


def test_every_command_is_in_the_readme_or_the_docs():
    text = "".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    missing = [command for command in COMMANDS if f"nilometer {command}" not in text]
    assert not missing


def test_modules_keep_to_one_idea():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "src").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_help_imports_none_of_the_heavy_libraries():
    heavy = {"numba", "numpy", "pyarrow", "deltalake", "fastapi", "sqlalchemy", "pandas", "pint", "pymodbus"}
    program = "import sys, nilometer.cli.main; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert heavy.isdisjoint(loaded)
