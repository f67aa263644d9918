"""A tunnel to a collector, its address, and Helicone's webhook to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from spendtop.collector import tunnel
from spendtop.collector.collector import run
from spendtop.collector.setup import CompanionContext, Setup
from spendtop.collector.supervisor import Loop
from spendtop.collector.tunnel import Tunnel, authtoken
from spendtop.config.load import Loaded, load
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.services import tasks
from spendtop.services.tasks import TaskKind
from spendtop.sources.settings import SECTIONS, HeliconeSettings
from spendtop.store.reads.configuration.applied import ConfigOutcome, applied, config_outcome
from tests.conftest import SettableClock
from tests.e2e.processes import LISTENER, collecting, environment
from tests.fake_ngrok import TOKEN, FakeNgrok, installed
from tests.helicone_captures import captures, secret, sign
from tests.sources.pollers.fake_helicone import KEY, WEBHOOKS, FakeHelicone
from tests.waiting import DEADLINE, eventually, soon

HOST = "canary.ngrok.app"
HOOK = f"https://{HOST}/webhook"


class Running:
    """A collector with a tunnel, and what a test looks at inside it."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.folder, self.clock = folder, clock
        self.file = folder / "spendtop.toml"
        self.file.touch(mode=0o600)
        self.configure()
        self.said: list[str] = []

    def configure(self, helicone: str = "", server: str = "") -> None:
        self.file.write_text(
            f'[server]\nport = 0\n{server}[database]\nurl = "sqlite:///{self.folder}/spendtop.db"\n[helicone]\n{helicone}'
        )

    def load(self) -> Loaded:
        return load(self.file, sections=SECTIONS, environ={})

    def run(self, look: Callable[[CompanionContext], Awaitable[None]]) -> None:
        failures: list[BaseException] = []

        def companion(rooms: CompanionContext) -> Loop:
            async def loop(stop: asyncio.Event) -> None:
                try:
                    await look(rooms)
                except BaseException as failure:
                    failures.append(failure)
                await asyncio.wrap_future(
                    rooms.recorder.run(lambda connection: tasks.ask(connection, TaskKind.STOP, {}, rooms.clock()))
                )
                await stop.wait()

            return loop

        def opened(rooms: CompanionContext) -> Loop:
            heard = CompanionContext(
                rooms.store, rooms.recorder, rooms.url, rooms.clock, rooms.settings, self.said.append
            )
            return Tunnel(heard, TOKEN, self.load).run

        companions = {"tunnel": opened, "look": companion}
        setup = Setup(loaded=self.load(), reload=self.load, clock=self.clock, prints=False, companions=companions)
        assert run(setup) is ExitCode.OK
        if failures:
            raise failures[0]


@pytest.fixture
def running(tmp_path: Path, clock: SettableClock) -> Running:
    return Running(tmp_path, clock)


@pytest.fixture
def ngrok() -> Iterator[FakeNgrok]:
    with installed(f"https://{HOST}") as fake:
        yield fake


@pytest.fixture
def helicone() -> Iterator[FakeHelicone]:
    with FakeHelicone().running() as fake:
        yield fake


def public_url(rooms: CompanionContext) -> str:
    with rooms.store.reading() as connection:
        found = applied(connection)
    return found.collector.public_url if found is not None else ""


def outcome_of(rooms: CompanionContext) -> ConfigOutcome:
    with rooms.store.reading() as connection:
        outcome = config_outcome(connection)
    assert outcome is not None
    return outcome


@pytest.mark.replaces("monitor/tunnel")
def test_the_tunnel_leads_to_the_listener_and_every_face_can_read_its_address(
    running: Running, ngrok: FakeNgrok
) -> None:
    stores: list[Any] = []

    async def look(rooms: CompanionContext) -> None:
        assert await soon(lambda: public_url(rooms)) == f"https://{HOST}"
        assert (ngrok.leads_to, ngrok.tokens, ngrok.closed) == ([rooms.url], [TOKEN], [])
        running.configure(server='api_key = "an-api-key-0123456789"\n')
        await soon(lambda: rooms.settings().server.api_key)
        assert public_url(rooms) == f"https://{HOST}"
        stores.append(rooms.store)

    running.run(look)
    assert ngrok.closed == ["listener", "session"]
    assert HOOK in running.said[0]


def test_what_comes_through_the_tunnel_is_not_trusted_for_coming_from_this_machine(
    running: Running, ngrok: FakeNgrok
) -> None:
    running.configure(f'webhook_secrets = ["{secret().decode()}"]\n')
    keyless = ("/spending/summary", "/requests", "/data", "/limits", "/alerts", "/metrics", "/export.csv", "/sessions")

    async def look(rooms: CompanionContext) -> None:
        await soon(lambda: public_url(rooms))
        through = {"Host": HOST, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(base_url=rooms.url, trust_env=False, timeout=DEADLINE) as client:
            for path in (*keyless, *(f"/api{path}" for path in keyless)):
                assert (await client.get(path)).status_code == 200, path
                answer = await client.get(path, headers=through)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "local_only"), path
            assert (await client.delete("/reset", headers=through)).status_code == 403
            assert (await client.get("/ping", headers=through)).status_code == 200
            raw = next(iter(captures().values())).raw
            for signature, status in ((sign(raw), 200), ("0" * 64, 401)):
                headers = {**through, "Helicone-Signature": signature}
                assert (await client.post("/webhook", content=raw, headers=headers)).status_code == status

    running.run(look)


def test_helicone_is_connected_and_its_secret_applied_live(
    running: Running, ngrok: FakeNgrok, helicone: FakeHelicone
) -> None:
    running.configure(f'api_key = "{KEY}"\nbase_url = "{helicone.url}"\npoll_every = "1h"\n')

    async def look(rooms: CompanionContext) -> None:
        await soon(lambda: rooms.settings().section(HeliconeSettings).webhook_secrets)
        (webhook,) = helicone.webhooks
        (known,) = rooms.settings().section(HeliconeSettings).webhook_secrets
        assert (webhook["destination"], webhook["hmac_key"]) == (HOOK, known.get_secret_value())
        await soon(lambda: len(running.said) == 2)

    running.run(look)
    assert running.said[1] == f"Helicone posts to {HOOK}."
    assert len(helicone.webhooks) == 1

    ngrok.url = "https://second.ngrok.app"
    other = {**helicone.webhooks[0], "id": 99, "destination": "https://else.example/webhook"}
    helicone.webhooks.append(other)

    async def look_again(rooms: CompanionContext) -> None:
        await soon(lambda: len(running.said) == 4)

    running.run(look_again)
    assert [webhook["destination"] for webhook in helicone.webhooks] == [
        "https://else.example/webhook",
        "https://second.ngrok.app/webhook",
    ]


def test_where_the_secret_cannot_be_kept_it_says_what_to_do(
    running: Running, ngrok: FakeNgrok, helicone: FakeHelicone
) -> None:
    running.file.write_text(
        f'helicone.api_key = "{KEY}"\nhelicone.base_url = "{helicone.url}"\nhelicone.poll_every = "1h"\n'
        f'server.port = 0\ndatabase.url = "sqlite:///{running.folder}/spendtop.db"\n'
    )

    async def look(rooms: CompanionContext) -> None:
        await soon(lambda: len(running.said) == 2)
        await soon(lambda: outcome_of(rooms).text.raw == running.said[1])
        assert not outcome_of(rooms).ok

    running.run(look)
    assert "webhook_secrets" in running.said[1] and "--show-secret" in running.said[1]
    assert helicone.webhooks[0]["hmac_key"] not in running.said[1]


def test_a_helicone_that_fails_is_asked_again(
    running: Running, ngrok: FakeNgrok, helicone: FakeHelicone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "_ASK_AGAIN_AFTER", 0.01)
    helicone.fail(WEBHOOKS, 500, {"data": None, "error": "oops"})
    running.configure(f'api_key = "{KEY}"\nbase_url = "{helicone.url}"\npoll_every = "1h"\n')

    async def look(rooms: CompanionContext) -> None:
        await soon(lambda: len(running.said) == 3)

    running.run(look)
    assert "500" in running.said[1]
    assert running.said[2] == f"Helicone posts to {HOOK}."


def test_a_tunnel_that_does_not_open_is_tried_again_and_never_tells_the_authtoken(
    running: Running, ngrok: FakeNgrok, caplog: pytest.LogCaptureFixture
) -> None:
    ngrok.refuses = [f"ERR_NGROK_105: The authtoken you specified: {TOKEN}"]

    async def look(rooms: CompanionContext) -> None:
        assert await soon(lambda: public_url(rooms)) == f"https://{HOST}"

    running.run(look)
    assert "err_ngrok_105" in running.said[0]
    assert "ngrok does not open the tunnel" in caplog.text
    assert TOKEN not in caplog.text + "".join(running.said)


def test_the_authtoken_comes_from_the_configuration_or_the_environment(
    running: Running, ngrok: FakeNgrok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NGROK_AUTHTOKEN", raising=False)
    with pytest.raises(UsageError, match="NGROK_AUTHTOKEN"):
        authtoken(running.load().settings)
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    assert authtoken(running.load().settings) == TOKEN
    running.configure(server='ngrok_authtoken = "another_token"\n')
    assert authtoken(running.load().settings) == "another_token"


def test_without_the_extra_it_says_what_to_install(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"spendtop\[tunnel\]"):
        authtoken(running.load().settings)


def test_the_command_opens_it_and_prints_its_address(tmp_path: Path) -> None:
    sdk = tmp_path / "sdk"
    sdk.mkdir()
    (sdk / "ngrok.py").write_text(
        f'import sys\nfrom tests.fake_ngrok import FakeNgrok\nsys.modules["ngrok"] = FakeNgrok("https://{HOST}")\n'
    )
    root = Path(__file__).parents[2]
    folder = tmp_path / "work"
    environ = {**environment(folder), "PYTHONPATH": f"{sdk}:{root}", "NGROK_AUTHTOKEN": TOKEN}
    with collecting(folder, LISTENER, "--tunnel", "ngrok", environ=environ) as collector:
        eventually(lambda: HOOK in collector.out)
        ended = collector.end()
    assert ended.code == 0
    assert TOKEN not in ended.out + ended.err
