"""Every request that the pages on SensorThings show runs on a demo as it stands there, and answers what they show."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import sys
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nilometer.config import parse
from tests.docs.answers import difference, documents, shown
from tests.docs.blocks import ANSWERS, ELSEWHERE, REQUESTS, SETTINGS, Block, blocks, with_answers
from tests.docs.shell import Outcome, Shell
from tests.patience import PATIENCE_S
from tests.system.demos import start_demo, wait_until_live
from tests.system.server import Server

if sys.platform != "win32":
    from tests.system.forked import Forked

DOCS = Path(__file__).resolve().parents[2] / "docs"
INDEX = DOCS / "sensorthings.md"
PAGES = [INDEX, *sorted(DOCS.glob("sensorthings_*.md")), DOCS / "export.md", DOCS / "connect.md"]

DOCUMENTED = "localhost:8080"
DATA = Path("demo-data") / "virtual"

NOT_BESIDE_THE_DEMO = {
    "nilometer demo": "it is running already",
    "https://example.org": "a server of somebody else",
    "--port 8081": "it goes on until it is ended, and another test serves what was imported",
    "localhost:8081": "asks the server of the line before",
    "QgsVectorLayer": "QGIS's own Python, and its requests are among the tests",
}
"""Commands that are not run, by what they have in them, and why."""


def test_every_capability_is_on_the_index():
    told = INDEX.read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"({page.name}" not in told] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_requests_and_says_what_its_blocks_are(page):
    found = blocks(page)
    assert {block.language for block in found} <= REQUESTS | ANSWERS | SETTINGS | ELSEWHERE
    assert any(block.language in REQUESTS for block in found)
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def anchors(page: Path) -> set[str]:
    """Return those that a page's headings get where it is shown."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@dataclass
class Reader:
    """Somebody at a terminal beside a running demo."""

    demo: Server
    folder: Path
    mqtt_port: int
    passed_over: set[str] = field(default_factory=set)

    def read(self, page: Path) -> list[str]:
        """Run a page's blocks in their order; return what was not as it says."""
        wrong = []
        with Shell(self.folder, self.folder / ".settings", self.mqtt_port) as shell:
            for block, answer in with_answers(blocks(page)):
                if block.language == "toml":
                    parse(tomllib.loads(block.text))
                elif block.language == "python" and self.is_passed_over(block.text):
                    continue
                elif block.language in REQUESTS:
                    outcome = self.run(block, shell)
                    if complaint := judged(outcome, answer):
                        wrong.append(f"{block}: {complaint}")
        return wrong

    def run(self, block: Block, shell: Shell) -> Outcome:
        """Run a block."""
        text = block.text.replace(DOCUMENTED, self.demo.address.removeprefix("http://"))
        if block.language == "http":
            outcome = self.opened(text)
        elif block.language == "python":
            outcome = self.ended(Forked([], program=text, folder=self.folder))
        elif text.startswith("nilometer "):
            outcome = self.commands(text)
        else:
            outcome = shell.run(text)
        output = outcome.output.replace(self.demo.address.removeprefix("http://"), DOCUMENTED)
        return Outcome(outcome.exit_status, output, outcome.errors)

    def opened(self, addresses: str) -> Outcome:
        """Open addresses as a browser does."""
        output, statuses = [], []
        for address in addresses.split("\n"):
            if not address or self.is_passed_over(address):
                continue
            try:
                with urllib.request.urlopen(urllib.parse.quote(address, safe=":/?&=$()',;%"), timeout=30) as answer:
                    output.append(answer.read().decode())
                    statuses.append(f"status {answer.status}")
            except urllib.error.HTTPError as error:
                with error:
                    output.append(error.read().decode())
                    statuses.append(f"status {error.code}")
        return Outcome(0, "\n".join(output), "\n".join(statuses))

    def commands(self, lines: str) -> Outcome:
        """Run commands of ours, one a line."""
        output = ""
        for line in lines.replace("\\\n", " ").splitlines():
            if self.is_passed_over(line):
                continue
            name, *arguments = shlex.split(line, comments=True)
            assert name == "nilometer", line
            outcome = self.ended(Forked(arguments, folder=self.folder))
            output += outcome.output
            if outcome.exit_status:
                return Outcome(outcome.exit_status, output)
        return Outcome(0, output)

    def is_passed_over(self, command: str) -> bool:
        """Say whether a command is one of those that are not run, and remember it."""
        found = {word for word in NOT_BESIDE_THE_DEMO if word in command}
        self.passed_over |= found
        return bool(found)

    def ended(self, forked: Forked) -> Outcome:
        """Wait for a process of ours."""
        with forked.stdout:
            output = forked.stdout.read()
        return Outcome(forked.wait(PATIENCE_S), output)


def judged(outcome: Outcome, answer: Block | None) -> str | None:
    """Return what is not as the page says."""
    if outcome.exit_status:
        return f"it ended with {outcome.exit_status}: {outcome.output[-600:]}{outcome.errors[-600:]}"
    page = shown(answer.text) if answer is not None and answer.language == "json" else []
    refusal = page[-1].get("code") if page and isinstance(page[-1], dict) and page[-1].get("type") == "error" else None
    for at, status in enumerate(outcome.statuses):
        is_last = at == len(outcome.statuses) - 1
        if status != refusal if refusal and is_last else not 200 <= status < 300:
            return f"request {at + 1} answers {status}: {outcome.output[-600:]}"
    if answer is None:
        return None
    if answer.language != "json":
        return difference(answer.text.splitlines(), outcome.output.splitlines())
    try:
        told = documents(outcome.output)
    except ValueError:
        return f"its answer is no JSON: {outcome.output[:600]}"
    return difference(page, told)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    if sys.platform == "win32":
        pytest.skip("the pages are written for sh (reported, not counted)")
    absent = [name for name in ("curl", "mosquitto_pub", "mosquitto_sub") if shutil.which(name) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)} (Debian: curl, mosquitto-clients)")
    folder = tmp_path_factory.mktemp("reader")
    with socket.create_server(("127.0.0.1", 0)) as found:
        mqtt_port = found.getsockname()[1]
    demo = start_demo(folder / DATA, "--mqtt-port", str(mqtt_port))
    try:
        wait_until_live(demo, 3)
        yield Reader(demo, folder, mqtt_port)
        demo.stop()
    finally:
        demo.kill()


@pytest.mark.slow
def test_every_request_runs_on_the_demo_and_answers_what_the_page_shows(reader):
    wrong = [complaint for page in PAGES for complaint in reader.read(page)]
    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)
    assert reader.passed_over == NOT_BESIDE_THE_DEMO.keys()
