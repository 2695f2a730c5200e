"""Asking what nobody would ask, and writing what nobody would write: requests put together at random."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.web.sensorthings.random_bodies import COUNTING, WRITES, counted, encoded
from tests.web.sensorthings.random_urls import EXPRESSIONS, URLS, sound

pytestmark = pytest.mark.asyncio(loop_scope="module")


@given(URLS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_request_is_answered_with_2xx_4xx_or_501(filled, url):
    answer = await filled.client.get(f"/v1.1/{url}")
    assert answer.status_code < 500 or answer.status_code == 501


@given(EXPRESSIONS | sound())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_expression_is_answered_or_refused_with_its_place(filled, url):
    answer = await filled.client.get(f"/v1.1/{url}")
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["place"], answer.text


@given(WRITES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_writing_is_done_or_refused_and_never_half(refusing, request_):
    method, url, body = request_
    before = await counts(refusing)
    content, media_type = encoded(method, body)
    answer = await refusing.client.request(
        method, f"/v1.1/{url}", content=content, headers={"content-type": media_type}
    )
    assert answer.status_code < 500 or answer.status_code == 501, (request_, answer.text)
    if answer.status_code >= 400:
        assert await counts(refusing) == before, (request_, answer.text)


async def counts(station):
    return counted((await station.client.post("/v1.1/$batch", json=COUNTING)).json())
