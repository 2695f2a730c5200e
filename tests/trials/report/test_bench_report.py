"""The report of a bench run: every figure with its limit and how sure that is, what was left out, and the way back."""

from __future__ import annotations

import math
import tomllib
from importlib import resources
from string import Formatter

import pypdfium2
import pytest
import typst
from tests.trials.bench.test_known_truth import FACTS, analyser, beside, five_parameters, run_of

from nilometer.errors import ConfigError
from nilometer.trials.bench.identity import check_data, data_hash, procedure_hash
from nilometer.trials.bench.limits import Finding, limits_of
from nilometer.trials.bench.overall import Overall
from nilometer.trials.bench.procedure import procedure_of, procedures
from nilometer.trials.bench.results import results
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.bench.wording import told, word
from nilometer.trials.report import document_of, pdf, write_report
from nilometer.trials.report.bench_telling import MARKS, BenchTeller
from nilometer.trials.report.document import Document
from nilometer.trials.report.html import html_of, mark
from nilometer.trials.report.words import LANGUAGES, Words

COMMAND = "nilometer bench x --save run.jsonl -o report.pdf --data 0"


def texts(document: Document) -> str:
    """All that a document says, but for its pictures."""

    def said(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for key, each in value.items() if key != "svg" for text in said(each)]
        if isinstance(value, list | tuple):
            return [text for each in value for text in said(each)]
        return [value] if isinstance(value, str) else []

    return "\n".join(said(document.to_dict()))


def pictures(document: Document) -> list[str]:
    return [block.svg for block in document.blocks if block.kind == "picture"]


@pytest.fixture(scope="module")
def analysed() -> BenchRun:
    """An ammonia analyser beside two more, of which the temperature was not tried."""
    procedure = procedure_of("hj101-2019")

    def shown(name: str, time: int, k: int) -> float:
        return 4.1 if name.startswith("sample") else analyser(name, time, k)

    laboratory = {f"sample{n}": [4.0] * 6 for n in (1, 2, 3)}
    about = {"maker": "Nile", "model": "NH-2", "serial": "#7", "certificate": "CAL-9", "place": "Cairo"}
    facts = {**FACTS, "failures": 0, "laboratory": laboratory, "about": about, "standards": {"level80": "GM-78"}}
    run = run_of(procedure.key, shown, facts)
    run.repeat("cold")
    beside(run, procedure.key, shown, (1.1, 0.9))
    return run


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_says_every_figure_with_its_limit_and_how_sure_that_is(language, analysed):
    tell = BenchTeller(analysed, language)
    document = document_of(analysed, language=language, command=COMMAND)
    text = texts(document)
    expected = [COMMAND, data_hash(analysed), procedure_hash(analysed.procedure), Words(language)("page.supporting")]
    expected += ["Nile NH-2", "#7", "CAL-9", "Cairo", "GM-78", "laboratory.sample1 = 4.0, 4.0"]
    for one in tell.results:
        expected += [tell.test_name(one), tell.limit(one.limit)]
        if one.finding is not Finding.NOT_MADE:
            expected += [part for figure in one.figures for part in (tell.estimate(figure), tell.ends(figure))]
    expected += [analysed.procedure.steps[one.step].key for one in analysed.segments]
    assert [part for part in expected if part not in text] == []
    unverified = "UNVERIFIED (from memory)" if language == "en" else "凭记忆，未经核实"
    assert text.count(unverified) > 10
    assert Words(language)("bench_overall.not_met_unverified") in text
    assert {one.finding for one in tell.results} >= {Finding.NOT_MADE, Finding.NO_LIMIT, Finding.MET_UNVERIFIED}
    assert word("outcome", "repeated", language) in text
    # The whole run, its segments in parts of nine, two drifts, three samples and the units.
    assert len(pictures(document)) == 1 + math.ceil(len([1 for one in analysed.segments if one.values]) / 9) + 6
    if language == "zh":
        english = [one.test.definition for one in tell.results if one.test.definition in text]
        assert english == []


def test_the_same_run_gives_the_same_document_and_other_data_another_hash(analysed):
    pairs = run_of("hj355-2019-codcr", lambda _name, _time, _k: 100.0, {"laboratory": {"pair": [100.0] * 5}})
    once, again = (document_of(pairs, command=COMMAND).to_dict() for _ in range(2))
    assert once == again
    check_data(analysed, data_hash(analysed))
    other = run_of("hj101-2019", analyser, FACTS)
    before = data_hash(other)
    other.learn({"about": {"place": "elsewhere"}})
    assert data_hash(other) == before  # of which no figure is made
    other.learn({"hours": 2.0})
    assert data_hash(other) != before
    with pytest.raises(ConfigError, match="these are others"):
        check_data(other, before)


def test_records_of_each_kind_are_drawn():
    probe = document_of(run_of("iso15839", lambda *of: 10 * five_parameters(*of), FACTS), command=COMMAND)
    gauge = run_of("level-gauge", lambda _name, time, _k: 0.005 * time)
    assert len(pictures(probe)) == 1 + 2 + 3  # the run, its steps, response, line and drift
    assert len(pictures(document_of(gauge, command=COMMAND))) == 1 + 3 + 1  # one picture of the one way up and down
    assert all(svg.startswith("<svg") for svg in pictures(probe))
    none = BenchRun(procedure_of("level-gauge"))
    assert Words("en")("bench_overall.nothing") in texts(document_of(none, command=COMMAND))


def test_a_pdf_says_on_its_first_page_what_came_out(tmp_path):
    if not set(pdf.FONTS) & set(typst.Fonts().families()):
        pytest.skip("no font with Chinese letters: apt install fonts-noto-cjk")
    pairs = {"pair": [100.0] * 5}
    shown = {"pair": 101.0, "control": 108.0}
    run = run_of("hj355-2019-codcr", lambda name, _time, _k: shown[name], {**FACTS, "laboratory": pairs})
    assert {one.finding for one in results(run)} == {Finding.MET}
    for language, said in (("en", "Limits met"), ("zh", "符合限值")):
        file = tmp_path / f"{language}.pdf"
        write_report(run, file, language=language, command=COMMAND)
        first = pypdfium2.PdfDocument(file)[0].get_textpage().get_text_range()
        assert said in first
        assert Words(language)("page.supporting") in first
    page = html_of(document_of(run, language="zh", command=COMMAND))
    assert "4／5对在 ±15 % 以内" in page


def test_every_outcome_has_a_shape_a_word_and_a_sentence():
    for one in (*Finding, *Overall):
        assert "<svg" in mark(MARKS[str(one)])
    for one in Overall:
        for language in LANGUAGES:
            assert Words(language)(f"bench_overall.{one}")
            assert Words(language)(f"bench_overall.{one}_says")
    for one in Finding:
        assert word("finding", str(one), "zh") != word("finding", str(one), "en")


def test_every_word_is_there_in_both_languages():
    table = tomllib.loads((resources.files("nilometer.trials.report") / "bench_words.toml").read_text(encoding="utf-8"))
    for section, names in table.items():
        for name, (english, chinese, *meanings) in names.items():
            assert english.strip(), f"{section}.{name}"
            assert chinese.strip(), f"{section}.{name}"
            assert len(meanings) == (2 if section == "bench_term" else 0)
            holes = [{hole for _, hole, _, _ in Formatter().parse(text) if hole} for text in (english, chinese)]
            assert holes[0] == holes[1], f"{section}.{name}"


@pytest.mark.parametrize("key", procedures())
def test_definitions_and_limits_of_ours_are_told_in_chinese(key):
    procedure = procedure_of(key)
    limits = limits_of(procedure.limits).values() if procedure.limits else ()
    sentences = {procedure.confidence}
    sentences |= {text for test in procedure.tests for text in (test.definition, test.confidence)}
    sentences |= {text for limit in limits for text in (limit.confidence, limit.condition) if text}
    assert [text for text in sentences if told(text, "zh") == text] == []
