"""Connecting Helicone from the shell, against a Helicone of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, write_config
from tests.e2e.processes import collecting, spendtop
from tests.helicone_captures import captures, secret
from tests.sources.pollers.fake_helicone import KEY, WEBHOOKS, FakeHelicone

PUBLIC = "https://spend.example.org"
HOOK = f"{PUBLIC}/webhook"


@pytest.fixture
def helicone() -> Iterator[FakeHelicone]:
    with FakeHelicone().running() as fake:
        yield fake


def configured(helicone: FakeHelicone, more: str = "", before: str = "") -> Path:
    return write_config(
        f'{before}[helicone]\n# Ours.\napi_key = "{KEY}"  # read and write\nbase_url = "{helicone.url}"\n{more}'
    )


def posts(helicone: FakeHelicone) -> int:
    return sum(asked.method == "POST" for asked in helicone.asked)


def test_connect_makes_the_webhook_and_keeps_its_secret_unseen(cli: Cli, helicone: FakeHelicone) -> None:
    file = configured(helicone)
    before = file.read_text()
    said = cli("helicone", "connect", PUBLIC)
    assert (said.code, said.err) == (0, "")
    (webhook,) = helicone.webhooks
    assert (webhook["destination"], webhook["config"]["sampleRate"]) == (HOOK, 100)
    assert [body["includeData"] for body in helicone.questions(WEBHOOKS) if body] == [True]
    assert webhook["hmac_key"] not in said.out
    assert "is made" in said.out and str(file) in said.out
    assert file.stat().st_mode & 0o777 == 0o600
    line = f'webhook_secrets = ["{webhook["hmac_key"]}"]\n'
    assert file.read_text() == before.replace("[helicone]\n", f"[helicone]\n{line}")


def test_connecting_again_makes_no_second_webhook_and_changes_nothing(cli: Cli, helicone: FakeHelicone) -> None:
    file = configured(helicone)
    cli("helicone", "connect", PUBLIC)
    before = file.read_text()
    said = cli("helicone", "connect", f"{PUBLIC}/webhook/", "--show-secret")
    assert (said.code, len(helicone.webhooks), posts(helicone)) == (0, 1, 1)
    assert "was there already" in said.out and "in the configuration already" in said.out
    assert f"Signing secret: {helicone.webhooks[0]['hmac_key']}" in said.out
    assert file.read_text() == before


def test_a_webhook_that_was_narrowed_is_used_with_a_warning(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone)
    cli("helicone", "connect", PUBLIC)
    helicone.webhooks[0]["config"] = {"sampleRate": 25, "propertyFilters": [{"key": "a", "value": "b"}]}
    for words in (("connect", PUBLIC), ("status",)):
        out = cli("helicone", *words).out
        assert "only 25 %" in out and "certain properties" in out


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://spend.example.org", "https addresses only"),
        ("https://127.0.0.1:8000", "private"),
        ("https://10.1.2.3/", "private"),
        ("https://box.internal", "private"),
        ("https://localhost:8000", "private"),
        ("https://2130706433", "private"),
        ("https://0x7f.1", "private"),
        ("nothing", "no address"),
        ("https://a.example?x=1", "no address"),
        ("https://[", "no address"),
    ],
)
def test_an_address_that_helicone_would_skip_is_refused_before_it_is_asked(
    cli: Cli, helicone: FakeHelicone, url: str, said: str
) -> None:
    configured(helicone)
    code, out, err = cli("helicone", "connect", url)
    assert (code, out) == (2, "")
    assert said in err
    assert helicone.asked == []


def test_without_an_api_key_it_says_which_one_is_needed(cli: Cli) -> None:
    for words in (("connect", PUBLIC), ("status",), ("disconnect",)):
        code, _, err = cli("helicone", *words)
        assert code == 78
        assert "api_key" in err and "write" in err


def test_a_key_that_may_only_read_is_named(cli: Cli, helicone: FakeHelicone) -> None:
    helicone.permissions = "r"
    configured(helicone)
    code, _, err = cli("helicone", "connect", PUBLIC)
    assert (code, helicone.webhooks) == (78, [])
    assert "may only read" in err
    assert KEY not in err


def test_a_failing_helicone_is_asked_once_only(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone)
    helicone.fail(WEBHOOKS, 500, {"data": None, "error": "oops"}, skip=2, times=9)
    code, _, err = cli("helicone", "connect", PUBLIC)
    assert (code, posts(helicone)) == (74, 1)
    assert "500" in err


def test_without_a_file_it_says_what_to_set(cli: Cli, helicone: FakeHelicone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDTOP_HELICONE__API_KEY", KEY)
    monkeypatch.setenv("SPENDTOP_HELICONE__BASE_URL", helicone.url)
    code, _, err = cli("helicone", "connect", PUBLIC)
    made = helicone.webhooks[0]["hmac_key"]
    assert code == 78
    assert "SPENDTOP_HELICONE__WEBHOOK_SECRETS" in err and "--show-secret" in err
    assert made not in err
    monkeypatch.setenv("SPENDTOP_HELICONE__WEBHOOK_SECRETS", made)
    assert cli("helicone", "connect", PUBLIC).code == 0


def test_secrets_that_come_from_the_environment_are_named_and_the_file_is_left(
    cli: Cli, helicone: FakeHelicone, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = configured(helicone)
    before = file.read_text()
    monkeypatch.setenv("SPENDTOP_HELICONE__WEBHOOK_SECRETS", "an-older-secret-0123456789")
    code, _, err = cli("helicone", "connect", PUBLIC)
    assert (code, file.read_text()) == (78, before)
    assert "environment SPENDTOP_HELICONE__WEBHOOK_SECRETS" in err


def test_secrets_that_the_file_only_names_are_kept_out_of_it(
    cli: Cli, helicone: FakeHelicone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "an-older-secret-0123456789")
    file = configured(helicone, 'webhook_secrets = ["env:HOOK_SECRET"]\n')
    before = file.read_text()
    code, _, err = cli("helicone", "connect", PUBLIC)
    assert (code, file.read_text()) == (78, before)
    assert "env:HOOK_SECRET" in err


def test_status_shows_all_webhooks_and_which_one_is_ours(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone)
    assert "no webhook" in cli("helicone", "status").out
    cli("helicone", "connect", PUBLIC)
    helicone.webhooks.append({**helicone.webhooks[0], "id": 7, "destination": "https://else.example", "hmac_key": "x"})
    code, out, err = cli("helicone", "status")
    assert (code, err) == (0, "")
    first, second = [line for line in out.splitlines() if "https://" in line and "%" in line]
    assert first.split() == ["1", "100", "%", "all", "yes", "ours", HOOK]
    assert "not in the configuration" in second
    assert "warning" not in out
    assert helicone.webhooks[0]["hmac_key"] not in out


def test_status_warns_where_the_secret_of_our_address_is_not_ours(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone, 'webhook_secrets = ["another-secret-0123456789"]\n', f'[server]\npublic_url = "{PUBLIC}"\n')
    helicone.answer("POST", WEBHOOKS, f"Bearer {KEY}", {"destination": HOOK, "config": {}, "includeData": True})
    out = cli("helicone", "status").out
    assert "its events are refused" in out
    assert f"helicone connect {HOOK}" in out


def test_disconnect_deletes_ours_only_after_showing_it(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone)
    assert cli("helicone", "disconnect").code == 2
    cli("helicone", "connect", PUBLIC)
    other = {**helicone.webhooks[0], "id": 7, "destination": "https://else.example/webhook", "hmac_key": "x"}
    helicone.webhooks.append(other)
    code, out, err = cli("helicone", "disconnect")
    assert (code, err) == (0, "")
    assert out.index(HOOK) < out.index("is deleted")
    assert helicone.webhooks == [other]
    assert cli("helicone", "disconnect", "https://else.example").code == 0
    assert helicone.webhooks == []


def test_where_several_lead_here_one_has_to_be_named(cli: Cli, helicone: FakeHelicone) -> None:
    configured(helicone)
    cli("helicone", "connect", PUBLIC)
    cli("helicone", "connect", "https://second.example")
    code, _, err = cli("helicone", "disconnect")
    assert (code, len(helicone.webhooks)) == (2, 2)
    assert HOOK in err and "https://second.example/webhook" in err


@pytest.mark.replaces("monitor/test-event")
def test_a_test_event_is_waited_for_in_the_store(tmp_path: Path, helicone: FakeHelicone) -> None:
    config = (
        f'[server]\nport = 0\npublic_url = "{PUBLIC}"\n[helicone]\napi_key = "{KEY}"\nbase_url = "{helicone.url}"\n'
    )
    config += f'webhook_secrets = ["{secret().decode()}"]\npoll_every = "1h"\n'
    (raw,) = [one.raw for one in captures().values() if b"MOCKAWSCREDENTIAL" in one.raw][:1]
    with collecting(tmp_path / "work", config) as collector:

        def deliver(destination: str) -> str | None:
            answer = collector.post(raw)
            return None if answer.json()["status"] == "test" else answer.text

        helicone.delivers_test = deliver
        helicone.answer("POST", WEBHOOKS, f"Bearer {KEY}", {"destination": HOOK, "config": {}, "includeData": True})
        ended = spendtop(collector.folder, "helicone", "test")
        assert (ended.code, ended.err) == (0, "")
        assert "arrived" in ended.out and HOOK in ended.out
        assert collector.rows("SELECT count(*) FROM request") == [(0,)]

        helicone.delivers_test = lambda destination: "it answered 404"
        ended = spendtop(collector.folder, "helicone", "test")
        assert ended.code == 74
        assert "did not arrive" in ended.err
    ended = spendtop(collector.folder, "helicone", "test")
    assert (ended.code, "No collector" in ended.err) == (2, True)
