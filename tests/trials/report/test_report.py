"""Reports as a customer gets them: what is in the PDF and on the page, in both languages, however a plan is called."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from string import Formatter

import numpy as np
import pypdfium2
import pytest
import typst
from tests.trials.report import results
from tests.trials.report.results import COMMAND, HOSTILE

from nilometer.errors import ConfigError
from nilometer.trials.figure import Figure
from nilometer.trials.inference.endpoint import Outcome
from nilometer.trials.report import document_of, pdf, render_html, render_pdf, write_report
from nilometer.trials.report.canvas import paper, points
from nilometer.trials.report.html import html_of
from nilometer.trials.report.numbers import fixed, interval, plain
from nilometer.trials.report.reasons import reason_of
from nilometer.trials.report.telling import Teller
from nilometer.trials.report.words import LANGUAGES, Words, visible
from nilometer.trials.result import TrialResult


@pytest.fixture(scope="module", autouse=True)
def font() -> None:
    if not set(pdf.FONTS) & set(typst.Fonts().families()):
        pytest.skip("no font with Chinese letters: apt install fonts-noto-cjk")


def pages(content: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(content)
    texts = []
    for place in range(len(document)):
        page = document[place]
        text = page.get_textpage()
        texts.append(text.get_text_bounded())
        text.close()
        page.close()
    document.close()
    return texts


def tight(text: str) -> str:
    """Text without what setting it adds: line ends, hyphens at them, places to break."""
    return re.sub(r"\s|[\u200b\ufffe\x02]", "", text)


class Page(HTMLParser):
    """A strict look at a page: every tag is closed, and what could run or load is counted."""

    VOID = frozenset({"meta", "br", "path", "use", "rect", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.used: set[str] = set()
        self.suspicious: list[str] = []
        self.text: list[str] = []
        self.labels: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in {"script", "link", "iframe", "object", "embed", "img", "foreignobject"}:
            self.suspicious.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name == "aria-label":
                self.labels.append(value)
            if name.startswith("on") or (name in {"href", "src", "xlink:href"} and not value.startswith("#")):
                self.suspicious.append(f"{tag} {name}={value}")
            if name in {"href", "xlink:href"}:
                self.used.add(value[1:])

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> TrialResult:
    return results.run_in(tmp_path_factory.mktemp("trial"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_says_all_that_a_trial_gave_in_both_forms(language, ran):
    result = ran
    words = Words(language)
    document = document_of(result, language=language, command=COMMAND)
    content = pdf.pdf_of(document)
    texts = pages(content)
    page = Page(html_of(document))
    expected = [
        result.plan.hash(),
        result.data_hash,
        result.frozen.hash,
        COMMAND,
        *(part.hash for part in result.taken),
    ]
    expected += [arm.certificate for arm in result.plan.candidate] + [one.source for one in result.plan.endpoint]
    figures = [each for found in result.units.values() for each in (found.within, found.unit, found.lot)]
    for comparison in result.comparisons:
        figures += comparison.figures + comparison.without_suspect
        figures += [each for part in comparison.strata + comparison.over_time for each in part.figures]
        figures += [each for made in comparison.samples.values() for each in made]
        figures += [comparison.classes.agreement, comparison.classes.kappa]
        expected += [f"{one.due:,}" for one in comparison.availability.values()]
        expected += [f"{count:,}" for count in comparison.classes.confusion.ravel().tolist() if count]
        for decision in comparison.decisions:
            expected += [decision.endpoint.name, words.outcome(decision.outcome), plain(decision.margin)]
    for figure in figures:
        value, low, high, _unit = interval(figure)
        expected += [words.name("statistic", figure.name), value, low, high, f"{figure.n:,}"]
    assert len(figures) > 100
    expected += [words("page.supporting"), words("section.units"), words("standing.confirmatory")]
    # The window of a file is shaded, and the picture says so.
    expected += [words("chart.maintenance"), words("sentence.time_maintenance"), words("sentence.time_cleanings")]
    for told in (tight("".join(texts)), tight("".join(page.text))):
        assert [each for each in expected if tight(each) not in told] == []
    first = tight(texts[0])
    shown = [words.outcome(outcome) for outcome in ("non_inferior", "inferior")]
    for each in (result.plan.trial.question, *shown, words("standing.confirmatory")):
        assert tight(each) in first
    assert all(tight(words("page.page_of", page=n, pages=len(texts))) in tight(text) for n, text in enumerate(texts, 1))
    assert len(content) < 1_000_000
    assert all(marker in content for marker in (b"/StructTreeRoot", b"/Lang"))
    if language == "zh":
        assert content == render_pdf(result, language=language, command=COMMAND)


def test_every_sentence_of_a_trial_is_told_in_chinese(ran):
    words, tell = Words("zh"), Teller(ran, "zh")
    notes = list(ran.notes)
    for one in ran.comparisons:
        notes += [*one.alignment.notes, one.alignment.clock.note, *one.grade.notes]
        parts = [one.figures, *one.samples.values(), *(stratum.figures for stratum in one.strata + one.over_time)]
        notes += [figure.note for part in parts for figure in part]
        for decision in one.decisions:
            assert all(style == "plain" for style, _ in reason_of(tell, decision))
    reasons = {decision.reason for one in ran.comparisons for decision in one.decisions}
    assert {note for note in notes if note not in reasons and not words.told(note)[1]} == set()


def test_every_outcome_stands_on_the_first_page_and_no_name_is_markup():
    result = results.every_outcome()
    words = Words("en")
    document = document_of(result, language="en", command=f"{COMMAND} {HOSTILE}")
    texts = pages(pdf.pdf_of(document))
    page = Page(html_of(document))
    for outcome in ("non_inferior", "inferior", "inconclusive", "not_tested"):
        assert tight(words.outcome(outcome)) in tight(texts[0])
    assert words("standing.exploratory") in texts[0]
    assert words("sentence.amended_late") in "".join(page.text)
    # The page shows every letter; the PDF tells by its number the one that no font of it has.
    assert visible(HOSTILE) in "".join(page.text)
    assert tight(visible(HOSTILE).partition("\U0001f9ea")[0]) in tight("".join(texts))
    assert tight("unbroken" * 30) in tight("".join(texts))
    assert page.suspicious == []
    assert len(page.ids) == len(set(page.ids))
    assert page.used <= set(page.ids)
    assert len(page.labels) > 10
    assert all(len(label) > 20 for label in page.labels[1:])


def test_little_data_and_much_of_it_make_a_report():
    few = "".join(Page(render_html(results.tiny(), language="en", command=COMMAND)).text)
    assert "There is no interval that could be held against the margin." in few
    assert "3 pairs are too few, or differ too little" in few
    assert "never frozen" in few
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", few)
    many = results.crowded()
    document = document_of(many, language="zh", command=COMMAND)
    content = pdf.pdf_of(document)
    assert len(html_of(document)) < 1_500_000
    assert len(content) < 1_000_000
    assert "没有时间" in tight("".join(pages(content)))


def test_points_in_cells_keep_what_stands_apart():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 40_000))
    y[123], y[456], x[789] = 9.0, -8.0, 7.5
    with paper(3.0) as (_figure, axes):
        assert points(axes, x, y)
        drawn = np.vstack([patch.get_path().vertices for patch in axes.patches])
    assert drawn.max(axis=0).tolist() == [x.max(), y.max()]
    assert drawn.min(axis=0).tolist() == [x.min(), y.min()]
    assert len(drawn) < 2 * 20_000
    assert {tuple(each) for each in drawn} <= set(zip(x.tolist(), y.tolist(), strict=True))


def test_numbers_have_the_digits_that_their_interval_allows():
    figure = Figure(name="bias", value=-0.0421987, unit="mg L-1", interval=(-0.0761, -0.0083), n=9)
    assert interval(figure) == ("−0.042", "−0.076", "−0.008", "mg/L")
    assert (
        interval(replace(figure, name="class_agreement", unit="1", value=0.9341, interval=(0.91, 0.957)))[0] == "93.4"
    )
    assert interval(replace(figure, value=12345.6, interval=(11000.0, 13000.0)))[:2] == ("12300", "11000")
    assert interval(replace(figure, interval=(np.nan, np.nan))) == ("−0.0422", "—", "—", "mg/L")
    # Of a logarithmic scale, and of a time.
    lopsided = replace(figure, name="rmse", value=2141.2, unit="uS cm-1", interval=(222.3, 20630.0))
    assert interval(lopsided) == ("2100", "200", "21000", "µS/cm")
    assert interval(replace(lopsided, value=0.5312, interval=(0.0013, 2300.0)))[:3] == ("0.53", "0.00", "2300")
    assert interval(replace(figure, unit="s", value=10_833.0, interval=(9_500.0, 12_200.0)))[::3] == ("3.01", "h")
    assert fixed(-0.0001, 2) == "0.00"
    assert plain(float("nan")) == "—"


def test_words_are_complete_and_both_languages_fill_the_same_holes():
    sections = tomllib.loads((resources.files("nilometer.trials.report") / "words.toml").read_text(encoding="utf-8"))
    for section, names in sections.items():
        for name, texts in names.items():
            assert len(texts) == (4 if section == "term" else 2), name
            assert all(text.strip() for text in texts), name
            holes = [{part[1] for part in Formatter().parse(text) if part[1]} for text in texts]
            assert holes[0] == holes[1], name
    told, is_told = Words("zh").told(
        "the two fit poorly at any offset (correlation 0.31); another offset fits nearly as well"
    )
    assert is_told
    assert told == "任何偏差下吻合都差（相关系数 0.31）；另有偏差吻合程度相近"
    assert Words("zh").told("a sentence of tomorrow") == ("a sentence of tomorrow", False)


@pytest.mark.parametrize(
    ("outcome", "reason", "told"),
    [
        (
            Outcome.NON_INFERIOR,
            "bias 0.069, 95 % interval 0.046 to 0.091 mg/L (-0.3 to 0.3 allowed) lies within what is allowed; "
            "it hangs on how it is reckoned: inconclusive with blocks of twice the length",
            "整个区间都在界值之内。结论取决于计算方式：块长加倍时无法判定。",
        ),
        (
            Outcome.INCONCLUSIVE,
            "bias 0.1, 95 % interval 0 to 0.2 mg/L (-0.3 to 0.3 allowed) decides nothing: "
            "worth 4 independent pairs, and 10 are needed",
            "区间本身过于不确定，不能据此判定。相当于 4 个独立数据对，而需要 10 个。",
        ),
        (
            Outcome.NOT_TESTED,
            "not tested, for 'Accuracy' before it was not shown; its figure alone: bias cannot be formed: "
            "all pairs are of one time",
            "次序在前的“Accuracy”未获证实，故不再检验。全部数据对同一时刻。",
        ),
    ],
)
def test_a_reason_tells_what_the_numbers_beside_it_do_not(outcome, reason, told):
    result = results.tiny()
    figure = Figure(name="bias", value=0.1, unit="mg L-1", interval=(0.0, 0.2))
    decision = replace(result.comparisons[0].decisions[0], figure=figure, outcome=outcome, reason=reason)
    assert "".join(text for _, text in reason_of(Teller(result, "zh"), decision)) == told
    other = replace(decision, reason="because the moon was full")
    assert reason_of(Teller(result, "zh"), other)[-1] == ("quiet", "Because the moon was full。")


def test_what_is_missing_is_told_with_what_to_install(monkeypatch, tmp_path):
    result = results.tiny()
    with pytest.raises(ConfigError, match=r"\.pdf or \.html"):
        write_report(result, tmp_path / "report.docx", command=COMMAND)
    with pytest.raises(ConfigError, match="a folder that can be written"):
        write_report(result, tmp_path / "nowhere" / "report.html", command=COMMAND)
    with pytest.raises(ConfigError, match="language"):
        document_of(result, language="fr", command=COMMAND)
    write_report(result, tmp_path / "report.html", command=COMMAND)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    bare = typst.Fonts(include_system_fonts=False)
    monkeypatch.setattr(pdf, "_fonts", lambda: bare)
    write_report(result, tmp_path / "report.pdf", command=COMMAND)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ConfigError, match="fonts-noto-cjk"):
        render_pdf(result, language="zh", command=COMMAND)
    named = replace(result, plan=results.plan_of(trial={**results.written()["trial"], "place": "太湖"}))
    with pytest.raises(ConfigError, match=r"such as [太湖].*fonts-noto-cjk"):
        render_pdf(named, language="en", command=COMMAND)
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(ConfigError, match=r"nilometer\[report\]"):
        render_pdf(result, command=COMMAND)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"nilometer\[report\]"):
        render_html(result, command=COMMAND)
