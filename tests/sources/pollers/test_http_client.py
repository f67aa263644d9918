"""The client of all pollers against a real server that misbehaves."""

from __future__ import annotations

import asyncio
import logging
import socket
import tracemalloc
from decimal import Decimal

import pytest

from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import AnswerTooLarge, FetchBounds, Fetcher, Rejected
from tests.sources.pollers.fake_provider import (
    Answer,
    FakeProvider,
    Fault,
    answer,
    bad_key,
    bomb,
    cut_off,
    failed,
    no_scopes,
    packed,
    redirected,
    slow_down,
    truncated,
    web_page,
)
from tests.sources.pollers.polled import ONCE
from tests.waiting import DEADLINE, put_forward, soon

CANARIES = ("canary-key", "canary-query", "canary-body", "canary-answer", "127.0.0.1", "http")


def fetcher(fake: FakeProvider, bounds: FetchBounds = ONCE) -> Fetcher:
    return Fetcher("Acme", fake.url, {"Authorization": "Bearer canary-key"}, bounds=bounds)


async def ask(fake: FakeProvider, bounds: FetchBounds = ONCE) -> object:
    query = (("canary-query", "a"), ("canary-query", "b"), ("limit", 7))
    return await fetcher(fake, bounds).json("POST", "/v1/costs", query=query, body={"filter": "canary-body"})


async def failure(fake: FakeProvider, fault: Fault | None = None, bounds: FetchBounds = ONCE) -> PollFailed:
    """How it fails; never with anything that was sent, nor with what came back."""
    if fault:
        fake.always = fault
    with pytest.raises(PollFailed) as caught:
        await ask(fake, bounds)
    told = f"{caught.value!r} {caught.value}"
    assert [canary for canary in CANARIES if canary in told] == []
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


async def test_an_answer_is_read_exactly_and_the_question_arrives_as_it_was_meant() -> None:
    with FakeProvider() as fake:
        fake.always = lambda good: Answer(body=b'{"a": 0.1000000000000000000000000000000000001, "b": [0E-6176, 7]}')
        assert await ask(fake) == {
            "a": Decimal("0.1000000000000000000000000000000000001"),
            "b": [Decimal("0E-6176"), 7],
        }
    (asked,) = fake.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/costs", b'{"filter":"canary-body"}')
    assert asked.query == {"canary-query": ["a", "b"], "limit": ["7"]}
    assert asked.headers["authorization"] == "Bearer canary-key"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"].startswith("spendtop/")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (failed(400), "Acme did not take the question (400); a newer spendtop may be needed"),
        (
            failed(404),
            "Acme does not know what it was asked for (404): this organization or key may not have it. "
            "Check the key in the configuration. Else check the address configured for it",
        ),
        (failed(503), "Acme has a fault of its own (503); it is asked again at the next poll"),
        (slow_down(), "Acme asks for fewer questions (429); poll less often"),
        (truncated, "Acme's answer is no whole JSON; it is asked again at the next poll"),
        (web_page, "Acme answered with a web page in place of JSON; check the address configured for it"),
        (
            redirected("http://127.0.0.1:1/canary-answer"),
            "Acme answered with a redirect (302), which is never followed; check the address configured for it",
        ),
        (bomb, "Acme's answer is larger than 16 MiB and was not read; check the address configured for it"),
        (
            lambda good: good.with_headers(Content_Encoding="br"),
            "Acme's answer is packed in a way that cannot be read; check the address configured for it",
        ),
        (
            lambda good: good.with_headers(Content_Encoding="gzip"),
            "Acme's answer is packed in a way that cannot be read; check the address configured for it",
        ),
        (
            lambda good: Answer(body=b"[" * 200_000),
            "Acme's answer is no whole JSON; it is asked again at the next poll",
        ),
        (
            lambda good: Answer(body=b"[1e-99999999999999999999]"),
            "Acme's answer is no whole JSON; it is asked again at the next poll",
        ),
        (lambda good: Answer(body=b"[NaN]"), "Acme's answer is no whole JSON; it is asked again at the next poll"),
        (lambda good: Answer(body=b""), "Acme's answer is no whole JSON; it is asked again at the next poll"),
    ],
)
async def test_each_failure_is_a_sentence_of_its_own(fault: Fault, sentence: str) -> None:
    with FakeProvider() as fake:
        assert str(await failure(fake, fault)) == sentence
    assert len(fake.asked) == 1


async def test_a_connection_that_ends_too_early_is_a_network_fault() -> None:
    with FakeProvider() as fake:
        told = str(await failure(fake, cut_off))
    assert told == "Acme cannot be reached (RemoteProtocolError); check the network and the address configured"


async def test_nobody_listening_is_a_network_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(PollFailed, match=r"^Acme cannot be reached \(ConnectError\)"):
        await Fetcher("Acme", f"http://127.0.0.1:{port}", {}, bounds=ONCE).json("GET", "/")


@pytest.mark.parametrize(("fault", "status"), [(bad_key, 401), (no_scopes, 403)])
async def test_a_refused_key_comes_with_advice_that_knows_what_the_provider_said(fault: Fault, status: int) -> None:
    heard: list[tuple[int, str]] = []

    def advise(status: int, said: str) -> str:
        heard.append((status, said))
        return "Make another."

    with FakeProvider() as fake:
        fake.script(fault, failed(status, None), lambda good: Answer(status=status, body=b"\xff" * 100_000))
        refusing = Fetcher("Acme", fake.url, {}, advise=advise)
        for _ in range(3):
            with pytest.raises(KeyRefused, match=rf"^Acme refused the key \({status}\)\. Make another\.$"):
                await refusing.json("GET", "/")
    assert len(fake.asked) == 3
    assert heard[0][0] == status and heard[0][1].startswith(("Incorrect API key", "You have insufficient"))
    assert heard[1:] == [(status, "")] * 2


async def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with FakeProvider() as fake:
        for key in ("canary-kéy", "canary-key\r\nX: 1"):
            with pytest.raises(KeyRefused, match=r"^The key for Acme holds characters that no key has\. Copy it anew"):
                await Fetcher("Acme", fake.url, {"x-api-key": key}).json("GET", "/")
    assert fake.asked == []


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    with FakeProvider(tls=True) as fake:
        assert str(await failure(fake, bounds=FetchBounds())) == (
            "The certificate of Acme's address cannot be trusted; check the address configured for it"
        )
    assert fake.asked == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with FakeProvider() as fake:
        assert await ask(fake) == {"ok": True}


async def test_what_passes_is_asked_again_with_growing_waits(waits: list[float]) -> None:
    with FakeProvider() as fake:
        fake.script(failed(500), cut_off, slow_down(), failed(502), None)
        assert await ask(fake, FetchBounds()) == {"ok": True}
    assert len(fake.asked) == 5
    assert [least <= wait <= least + 1 for least, wait in zip((1, 2, 4, 8), waits, strict=True)] == [True] * 4
    assert len({wait % 1 for wait in waits}) > 1  # jitter


async def test_a_provider_that_says_when_is_asked_then(waits: list[float]) -> None:
    with FakeProvider() as fake:
        dated = answer({}, 503).with_headers(
            Date="Fri, 20 Nov 2026 14:00:00 GMT", Retry_After="Fri, 20 Nov 2026 14:00:42 GMT"
        )
        fake.script(slow_down(7), lambda good: dated, slow_down(0), slow_down("soon"), None)
        assert await ask(fake, FetchBounds()) == {"ok": True}
    assert waits[:2] == [7, 42]
    assert [4 <= waits[2] <= 5, 8 <= waits[3] <= 9] == [True, True]


async def test_a_wait_that_is_too_long_for_the_poll_is_left_to_the_next_one(waits: list[float]) -> None:
    with FakeProvider() as fake:
        assert (await failure(fake, slow_down(121), FetchBounds())).retry_after == 121
        assert (await failure(fake, slow_down(10**8), FetchBounds())).retry_after == 900
        assert (await failure(fake, failed(500), FetchBounds(total=15))).retry_after is None
    assert (len(fake.asked), waits) == (3, [])


async def test_it_gives_up_after_its_attempts_and_only_the_failure_tells(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with FakeProvider() as fake:
        assert "(503)" in str(await failure(fake, failed(503), FetchBounds(attempts=3)))
    assert (len(fake.asked), len(waits), caplog.records) == (3, 2, [])


@pytest.mark.parametrize("fault", [failed(400), bad_key, no_scopes, failed(422), truncated, web_page])
async def test_what_will_not_pass_is_not_asked_again(fault: Fault, waits: list[float]) -> None:
    with FakeProvider() as fake:
        await failure(fake, fault, FetchBounds())
    assert (len(fake.asked), waits) == (1, [])


async def test_a_rejected_question_tells_its_status() -> None:
    with FakeProvider() as fake:
        rejected = await failure(fake, failed(422))
    assert isinstance(rejected, Rejected) and rejected.status == 422


async def test_a_redirect_is_not_followed() -> None:
    with FakeProvider() as fake, FakeProvider() as other:
        await failure(fake, redirected(f"{other.url}/canary-answer"), FetchBounds())
    assert (len(fake.asked), other.asked) == (1, [])


async def test_a_drip_ends_at_the_deadline() -> None:
    with FakeProvider() as fake:
        fake.always = lambda good: fake.drip(answer({"much": "x" * 10_000}))
        told = await failure(fake, bounds=FetchBounds(attempts=1, deadline=0.2))
    assert str(told) == "Acme did not answer in time; it is asked again at the next poll"


async def test_all_questions_of_a_poll_share_its_time() -> None:
    with FakeProvider() as fake:
        bounds = FetchBounds(deadline=2 * DEADLINE, total=DEADLINE, longest_wait=0)
        async with fetcher(fake, bounds).poll() as poll:
            assert await poll.json("GET", "/") == {"ok": True}
            fake.always = lambda good: fake.drip(answer({"much": "x" * 10_000}))
            asked = asyncio.ensure_future(poll.json("GET", "/"))
            await soon(lambda: len(fake.asked) == 2)
            put_forward(bounds.total)
            with pytest.raises(PollFailed, match="did not answer in time"):
                await asked
            with pytest.raises(PollFailed, match="did not answer in time"):
                await poll.json("GET", "/")
    assert len(fake.asked) == 2


async def test_one_poll_at_a_time() -> None:
    with FakeProvider() as fake:
        asking = fetcher(fake)
        async with asking.poll() as poll:
            later = asyncio.ensure_future(asking.json("GET", "/later"))
            for _ in range(3):
                await poll.json("GET", "/first")
            meanwhile = [asked.path for asked in fake.asked]
        await later
    assert meanwhile == ["/first"] * 3
    assert [asked.path for asked in fake.asked] == ["/first"] * 3 + ["/later"]


async def test_gzip_that_nobody_asked_for_is_read() -> None:
    with FakeProvider() as fake:
        big = {"text": "abc" * 100_000, "cost": 0.5}
        fake.always = lambda good: packed(answer(big))
        assert await ask(fake) == {**big, "cost": Decimal("0.5")}


@pytest.mark.parametrize("kind", ["bomb", "endless"])
async def test_bytes_are_counted_as_they_come(kind: str) -> None:
    with FakeProvider() as fake:
        fake.always = bomb if kind == "bomb" else fake.endless
        await failure(fake, bounds=FetchBounds(attempts=1, most_bytes=1))  # what is loaded once is loaded
        tracemalloc.start()
        try:
            told = await failure(fake)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(told, AnswerTooLarge) and "larger than 16 MiB" in str(told)
    assert peak < 40 * 1024 * 1024


async def test_no_log_holds_a_key_or_a_query(caplog: pytest.LogCaptureFixture, waits: list[float]) -> None:
    caplog.set_level(logging.WARNING)
    with FakeProvider() as fake:
        fake.script(failed(500), failed(500))
        await ask(fake, FetchBounds())
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert [canary for canary in CANARIES if canary in logged] == []


def test_a_fetcher_does_not_show_its_key() -> None:
    assert "canary" not in repr(Fetcher("Acme", "http://127.0.0.1", {"Authorization": "Bearer canary-key"}))
