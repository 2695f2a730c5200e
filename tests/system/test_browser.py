"""The pages of the running demo in a real browser: drawn, live, flagged, in two languages, and without one error."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from nilometer.model import QartodFlag, SampleKind
from tests.system.browser import CHROMIUM, Witness, browser, drawn, pixels, steady
from tests.system.demos import columns, get, newest, things, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM} (set NILOMETER_CHROMIUM)"),
]
HOUR_MS = 3_600_000
RIVER = "qingxi-bridge"


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def witness(context, demo):
    """Watch a fresh page; nothing may have gone wrong in it by the end of the test."""
    page = context.new_page()
    seen = Witness(page, demo.address)
    seen.page = page
    yield seen
    page.close()
    assert seen.complaints == []


@pytest.fixture
def page(witness) -> Page:
    return witness.page


def open_page(page, demo, path):
    page.goto(demo.address + path)
    expect(page.get_by_test_id("live-indicator")).to_have_attribute("data-state", "live")


def flagged(demo, flag, hours=6):
    """Return key, id and time (ms) of a river observation of the last hours that has a flag."""
    end = max(newest(demo).values())
    river = next(thing for thing in things(demo) if thing["key"] == RIVER)
    for one in river["datastreams"]:
        rows = columns(demo, one["id"], start=end - hours * HOUR_MS, end=end - HOUR_MS)
        for number, time, quality in zip(rows["id"], rows["time"], rows["quality"], strict=True):
            if quality == flag:
                return one["key"], number, time
    return None


def span(time, hours=1):
    return f"start={int(time - hours * HOUR_MS)}&end={int(time + hours * HOUR_MS)}"


def counts(page):
    """Return what each chart says of itself: suspect and failed values in it."""
    labels = [chart.get_attribute("aria-label") for chart in page.get_by_test_id("chart").all()]
    return [tuple(map(int, re.search(r"suspect (\d+), failed (\d+)", label).groups())) for label in labels]


def test_the_overview_shows_three_things_whose_values_change(page, demo):
    open_page(page, demo, "/")
    cards = page.get_by_test_id("thing-card")
    expect(cards).to_have_count(3)
    for card in cards.all():
        expect(card.get_by_test_id("latest-value").first).to_have_text(re.compile(r"\d"))
        before = card.inner_text()
        wait_for("another value on the card", lambda card=card, before=before: card.inner_text() != before)
    values = [value.inner_text() for value in page.get_by_test_id("latest-value").all()]

    def changed():
        now = [value.inner_text() for value in page.get_by_test_id("latest-value").all()]
        return len(now) == len(values) and sum(a != b for a, b in zip(values, now, strict=True)) >= 3

    wait_for("three other latest values", changed)


def test_the_overview_judges_the_river_and_says_why_it_does_not_judge_the_others(page, demo):
    open_page(page, demo, "/")
    river = page.locator(f"[data-thing={RIVER}]")
    expect(river.get_by_test_id("verdict-class")).to_have_text(re.compile(r"^Class (I|II|III|IV|V)$|^Inferior", re.I))
    expect(river.get_by_test_id("limiting-item")).to_have_text(re.compile(r"Limiting item.*\w"))
    for key in ("vlissingen-buoy", "binhe-outfall"):
        card = page.locator(f"[data-thing={key}]")
        expect(card.get_by_test_id("verdict-class")).to_have_text("No applicable standard")
        expect(card.get_by_test_id("limiting-item")).to_have_count(0)


def test_the_language_is_switched_there_and_back(page, demo):
    open_page(page, demo, "/")
    card = page.locator("[data-thing=vlissingen-buoy]")
    expect(card).to_contain_text("No applicable standard")
    page.get_by_test_id("lang-switch").get_by_text("中文").click()
    expect(card).to_contain_text("无适用标准")
    expect(page.locator(f"[data-thing={RIVER}]")).to_contain_text("清溪河大桥断面")
    expect(page.locator("html")).to_have_attribute("lang", re.compile("^zh"))
    assert "lang=zh" in page.url
    page.locator(f"[data-thing={RIVER}] h3 a").click()
    expect(page.locator("h1")).to_have_text(re.compile("清溪河大桥断面"))
    page.go_back()
    page.get_by_test_id("lang-switch").get_by_text("EN").click()
    expect(card).to_contain_text("No applicable standard")


def test_a_things_page_draws_its_charts_with_their_flags(page, demo):
    open_page(page, demo, "/")
    page.locator(f"[data-thing={RIVER}] h3 a").click()
    expect(page.get_by_test_id("chart")).to_have_count(10)
    expect(page.get_by_test_id("verdict-class").first).to_have_text(re.compile("Class|Inferior", re.I))
    expect(page.get_by_test_id("limiting-item")).to_have_text(re.compile(r"Limiting item.*mg/L"))
    wait_for(
        "suspect and failed values",
        lambda: [sum(column) > 0 for column in zip(*counts(page), strict=True)] == [True, True],
    )
    wait_for("charts that are drawn", lambda: drawn(page) > 5000)
    wait_for("amber triangles, which are suspect values", lambda: pixels(page, "amber") > 20)
    wait_for("vermilion crosses, which are failed values", lambda: pixels(page, "vermilion") > 20)
    values = page.get_by_test_id("latest-value")
    before = values.all_inner_texts()
    wait_for("another value", lambda: values.all_inner_texts() != before)


@pytest.mark.parametrize(("flag", "shape"), [(QartodFlag.SUSPECT, "flag-suspect"), (QartodFlag.FAIL, "flag-fail")])
def test_a_flagged_value_under_the_cursor_says_its_flag(page, demo, flag, shape):
    key, _, time = wait_for("a flagged value", lambda: flagged(demo, int(flag)))
    open_page(page, demo, f"/things/{RIVER}?{span(time)}")
    panel = page.locator(f"[data-property={key.split('/')[1]}]")
    expect(panel.get_by_test_id("chart")).to_be_visible()
    plot = panel.locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()

    def is_told():
        # Moved again and again, as a hand does: the value may not have been drawn yet.
        for aside in (1, 0):
            page.mouse.move(box["x"] + box["width"] / 2 + aside, box["y"] + box["height"] / 2)
        return panel.get_by_test_id(shape).is_visible()

    wait_for("the flag of the value under the cursor", is_told)


def test_a_datastreams_page_draws_its_chart_and_the_evidence_of_a_failed_value(page, demo):
    key, number, time = wait_for("a failed value", lambda: flagged(demo, int(QartodFlag.FAIL)))
    open_page(page, demo, f"/datastreams/{key}?{span(time)}&at={number}")
    expect(page.get_by_test_id("chart")).to_have_count(1)
    wait_for("a chart that is drawn", lambda: drawn(page) > 1000 and pixels(page, "vermilion") > 5)
    evidence = page.get_by_test_id("evidence")
    expect(evidence.get_by_test_id("flag-fail").last).to_be_visible()
    expect(evidence).to_contain_text(f"river/{key.split('/')[1]}")


def test_calibration_records_are_shown_with_their_deviations_and_what_is_due(page, demo):
    river = next(thing for thing in things(demo) if thing["key"] == RIVER)
    measured = next(one for one in river["datastreams"] if one["property"] == "ph")
    key = measured["key"]
    now = max(newest(demo).values())
    standard = {"key": "lot-7", "name": "Control", "value": 7, "unit": measured["unit"], "lot": "A7"}
    demo.client.enter_standard({**standard, "expires": now - HOUR_MS, "by": "Li"})
    done = {"datastream": key, "kind": "verification", "time": now - 3 * HOUR_MS, "operator": "Wang", "by": "Li"}
    point = {"standard": "lot-7", "before": 7.25, "after": 7.02, "readings": 3, "spread": 0.01}
    demo.client.enter_calibration({**done, "limit": 0.1, "points": [point]})
    open_page(page, demo, f"/datastreams/{key}")
    records = page.get_by_test_id("calibration-records")
    expect(records).to_contain_text("valid")
    records.get_by_role("button", expanded=False).first.click()
    for text in ("passed", "Control", "A7", "0.250", "0.020"):
        expect(records).to_contain_text(text)
    page.get_by_role("link", name="Calibration", exact=True).click()
    expect(page.get_by_test_id("calibrations-due")).to_contain_text(key)
    expect(page.get_by_test_id("standard-solutions")).to_contain_text("expired")
    page.get_by_test_id("lang-switch").get_by_text("中文").click()
    expect(page.get_by_test_id("standard-solutions")).to_contain_text("已过期")


def test_a_check_sample_is_not_drawn_unless_asked_for(page, witness, demo):
    river = next(thing for thing in things(demo) if thing["key"] == RIVER)
    codmn = next(one for one in river["datastreams"] if one["property"] == "codmn")
    rows = columns(demo, codmn["id"], samples="all")
    # Half a day on either side is over: nothing is added to the picture while we look.
    end = max(newest(demo).values()) - 12 * HOUR_MS
    check = max(
        time
        for time, kind in zip(rows["time"], rows["sample"], strict=True)
        if kind == SampleKind.CHECK and time <= end
    )
    inside = [
        kind
        for time, kind in zip(rows["time"], rows["sample"], strict=True)
        if check - 12 * HOUR_MS <= time <= check + 12 * HOUR_MS
    ]
    assert SampleKind.CHECK in inside
    open_page(page, demo, f"/datastreams/{codmn['key']}?{span(check, 12)}&hide=band")
    wait_for("a chart that is drawn", lambda: drawn(page) > 1000)
    wait_for("all answers", lambda: drawn(page) and witness.has_all)
    without = steady(page, lambda: pixels(page, "accent"))  # marks of calibrations have this colour too
    assert not [url for url in witness.requests if "samples=all" in url]

    page.get_by_label("check samples").check()
    wait_for("the check sample as a mark", lambda: pixels(page, "accent") > without + 5)
    assert "samples=all" in page.url
    page.get_by_label("check samples").uncheck()
    wait_for("no mark", lambda: pixels(page, "accent") == without)


def test_every_page_of_every_thing_opens_without_a_complaint(page, demo):
    for thing in get(demo, "/api/v1/things")["things"]:
        open_page(page, demo, f"/things/{thing['key']}")
        expect(page.get_by_test_id("chart").first).to_be_visible()
        first = thing["datastreams"][0]["key"]
        open_page(page, demo, f"/datastreams/{first}?range=7d")
        expect(page.get_by_test_id("chart")).to_be_visible()
    page.goto(f"{demo.address}/nowhere")
    expect(page.locator("main")).to_contain_text("no page")


@pytest.mark.parametrize(("language", "words"), [("en", "could not be moved to the lake"), ("zh", "数据封存失败")])
def test_what_the_store_cannot_do_stands_on_every_page(page, demo, language, words):
    # The answer of the server, with what it says while the object store or the disk is away.
    def away(route):
        answer = route.fetch()
        said = {**answer.json(), "seal_error": "could not write the lake: the disk is full", "damage": ["journal: cut"]}
        route.fulfill(response=answer, json=said)

    page.route("**/api/v1/status", away)
    for path in ("/", f"/things/{RIVER}"):
        open_page(page, demo, f"{path}?lang={language}")
        notice = page.get_by_test_id("store-notice")
        expect(notice.get_by_role("listitem")).to_have_count(2)
        expect(notice).to_contain_text(words)
        expect(notice).to_contain_text("the disk is full")
    page.unroute("**/api/v1/status")
    open_page(page, demo, "/")
    expect(page.get_by_test_id("store-notice")).to_have_count(0)
