"""Connecting providers that push from the shell, against providers of our own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Cli, write_config
from tests.e2e.processes import collecting, spendtop
from tests.provider_pushes import in_protobuf
from tests.sources.destinations.fake_destinations import ADMIN_KEY, MANAGEMENT_KEY, FakeAnthropic, FakeOpenRouter

PUBLIC = "https://spend.example.org"


@pytest.fixture
def anthropic() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture
def openrouter() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as fake:
        yield fake


def with_anthropic(fake: FakeAnthropic, more: str = "") -> Path:
    return write_config(
        f'{more}[anthropic]\n# Ours.\nadmin_key = "{ADMIN_KEY}"  # of the org\nbase_url = "{fake.url}"\n'
    )


def with_openrouter(fake: FakeOpenRouter) -> Path:
    account = f'name = "router"\nprovider = "openrouter"\nkey = "{MANAGEMENT_KEY}"\nbase_url = "{fake.url}"\n'
    return write_config(f"[[account]]\n{account}")


def key_in(file: Path, name: str) -> str:
    key: str = tomllib.loads(file.read_text())["server"]["ingest_keys"][name]
    return key


def test_connect_makes_the_destination_with_a_key_of_its_own_and_tries_it(cli: Cli, anthropic: FakeAnthropic) -> None:
    file = with_anthropic(anthropic)
    said = cli("anthropic", "connect", PUBLIC, "--workspace", "wrkspc_1", "--content")
    assert (said.code, said.err) == (0, "")
    (made,) = anthropic.destinations
    key = key_in(file, "anthropic-push")
    assert anthropic.headers[made["id"]] == {"authorization": f"Bearer {key}"}
    assert made["workspaces"] == {"type": "include", "workspace_ids": ["wrkspc_1"]}
    assert made["traces"]["content_mode"] == "content"
    assert "is made" in said.out and "was taken there" in said.out
    assert key not in said.out and ADMIN_KEY not in said.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert "# Ours." in file.read_text() and "# of the org" in file.read_text()
    again = cli("anthropic", "connect", f"{PUBLIC}/")
    assert (again.code, len(anthropic.destinations), key_in(file, "anthropic-push")) == (0, 1, key)
    assert "was there already" in again.out


def test_a_test_that_fails_says_why_and_what_to_do(cli: Cli, anthropic: FakeAnthropic) -> None:
    with_anthropic(anthropic)
    anthropic.test_error = "HTTP error (status 502)"
    code, _, err = cli("anthropic", "connect", PUBLIC)
    assert code == 74
    assert "HTTP error (status 502)" in err and "No collector runs" in err


@pytest.mark.parametrize("url", ["http://spend.example.org", "https://127.0.0.1", "https://spend.example.org:8443"])
def test_an_address_that_is_not_public_is_refused_before_anything_is_done(
    cli: Cli, anthropic: FakeAnthropic, url: str
) -> None:
    file = with_anthropic(anthropic)
    before = file.read_text()
    code, out, err = cli("anthropic", "connect", url)
    assert (code, out, anthropic.asked, file.read_text()) == (2, "", [], before)
    assert "cloudflared" in err


def test_without_a_key_it_is_said_where_one_is_made(cli: Cli) -> None:
    write_config("")
    for provider, said in (("anthropic", "admin-keys"), ("openrouter", "management-keys")):
        code, _, err = cli(provider, "connect", PUBLIC)
        assert code == 78
        assert said in err


@pytest.mark.parametrize("provider", ["anthropic", "openrouter"])
def test_the_address_is_looked_at_before_a_key_is_asked_for(cli: Cli, provider: str) -> None:
    write_config("")
    said = cli(provider, "connect", "http://localhost:8000")
    assert (said.code, said.out) == (2, "")
    assert "https addresses only" in said.err and "cloudflared tunnel" in said.err


def test_status_shows_what_is_amiss_with_the_way_back(cli: Cli, anthropic: FakeAnthropic) -> None:
    with_anthropic(anthropic)
    assert "pushes nowhere" in cli("anthropic", "status").out
    anthropic.add("https://elsewhere.example.org", "datadog")
    assert "None of them is known to lead here" in cli("anthropic", "status").out
    anthropic.add(PUBLIC, state={"type": "disabled", "reason": {"type": "redirect"}})
    out = cli("anthropic", "status").out
    assert "off: redirect" in out and "ours" in out
    said = " ".join(out.split())
    assert f"spendtop anthropic connect {PUBLIC.removeprefix('https://')}" in said and "not pushed again" in said
    shown = json.loads(cli("anthropic", "status", "--json").out)["data"]
    assert [each["leads_here"] for each in shown] == [True, False]


def test_disconnect_deletes_the_one_that_leads_here_alone(cli: Cli, anthropic: FakeAnthropic) -> None:
    with_anthropic(anthropic)
    anthropic.add("https://elsewhere.example.org", "datadog")
    anthropic.add(PUBLIC)
    assert cli("anthropic", "disconnect").code == 0
    assert [each["display_name"] for each in anthropic.destinations] == ["datadog"]
    code, _, err = cli("anthropic", "disconnect")
    assert code == 2
    assert "No destination is known to lead here" in err


def test_several_that_may_lead_here_are_told_apart_by_their_address(cli: Cli, anthropic: FakeAnthropic) -> None:
    with_anthropic(anthropic)
    anthropic.add(PUBLIC)
    anthropic.add("https://two.example.org")
    assert "name one by its URL" in cli("anthropic", "disconnect").err
    assert cli("anthropic", "disconnect", "https://two.example.org").code == 0
    assert [each["endpoint_url"] for each in anthropic.destinations] == [PUBLIC]


def test_openrouter_is_connected_likewise(cli: Cli, openrouter: FakeOpenRouter) -> None:
    file = with_openrouter(openrouter)
    said = cli("openrouter", "connect", PUBLIC)
    assert (said.code, said.err) == (0, "")
    (made,) = openrouter.destinations
    assert made["config"]["endpoint"] == f"{PUBLIC}/v1/traces"
    assert "Broadcast has to be on" in said.out
    assert key_in(file, "openrouter-push") not in said.out
    made |= {"sampling_rate": 0.1}
    assert "only 10 %" in " ".join(cli("openrouter", "status").out.split())


def test_a_key_without_the_right_leaves_the_steps_to_do_by_hand(cli: Cli, openrouter: FakeOpenRouter) -> None:
    with_openrouter(openrouter)
    openrouter.is_management_key = False
    code, _, err = cli("openrouter", "connect", PUBLIC)
    assert code == 78
    assert f"endpoint: {PUBLIC}/v1/traces" in err and "openrouter-push in ingest_keys" in err
    assert "canary" not in err


def test_what_is_pushed_with_the_new_key_arrives_at_the_collector_that_runs(
    tmp_path: Path, anthropic: FakeAnthropic
) -> None:
    config = f'[server]\nport = 0\n[anthropic]\nadmin_key = "{ADMIN_KEY}"\nbase_url = "{anthropic.url}"\n'
    with collecting(tmp_path / "work", config) as collector:

        def deliver(headers: dict[str, str]) -> str | None:
            answer = httpx.post(
                f"{collector.url}/v1/traces",
                content=in_protobuf("test"),
                headers={**headers, "Content-Type": "application/x-protobuf"},
            )
            return None if answer.status_code == 200 else f"HTTP error (status {answer.status_code})"

        anthropic.delivers_test = deliver
        ended = spendtop(collector.folder, "anthropic", "connect", PUBLIC)
        assert (ended.code, ended.err) == (0, "")
        assert "arrived, and was recorded as a test" in ended.out
        again = spendtop(collector.folder, "anthropic", "test")
        assert (again.code, again.err) == (0, "")
        assert collector.rows("SELECT count(*) FROM request") == [(0,)]


def test_what_a_test_needs_is_said_one_by_one(cli: Cli, openrouter: FakeOpenRouter) -> None:
    write_config("")
    assert "No key manages OpenRouter's destinations" in cli("openrouter", "test").err
    file = with_openrouter(openrouter)
    assert "`spendtop openrouter connect URL` comes first" in cli("openrouter", "test").err
    file.write_text(f'[server]\ningest_keys = {{ openrouter-push = "{"k" * 40}" }}\n{file.read_text()}')
    said = cli("openrouter", "test")
    assert (said.code, said.out) == (2, "")
    assert "No collector runs here" in said.err and "start `spendtop`" in said.err
