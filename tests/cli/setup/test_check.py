from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from spendtop.cli.options import Options, known_stores, load_settings
from spendtop.cli.setup.check import Target, probe, targets
from spendtop.config.paths import data_folder
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryTable, QuarantineTable
from tests.alerts.sinks import HttpSink, free_port
from tests.cli.conftest import Cli, write_config
from tests.cli.test_run_task import pretend_to_collect

KEY = "a-very-secret-key-of-mine"
GOOD = '[server]\nport = {port}\napi_key = "' + KEY + '"\n[helicone]\nwebhook_secrets = ["0123456789abcdef"]\n'


@pytest.fixture
def good() -> str:
    """A configuration without a flaw."""
    text = GOOD.format(port=free_port())
    write_config(text)
    return text


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that somebody else listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def test_a_fresh_machine_passes(cli: Cli, good: str) -> None:
    code, out, err = cli("check")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "All checks passed."
    assert "will be made by the first start" in out
    assert not data_folder().exists()


def test_it_says_where_values_come_from_and_never_what_a_secret_is(cli: Cli, good: str) -> None:
    out = cli("check").out
    assert any(line.split() == ["server.api_key", "spendtop.toml:3"] for line in out.splitlines())
    assert KEY not in out


@pytest.mark.replaces("monitor/check")
def test_old_names_are_listed_with_what_they_do(cli: Cli) -> None:
    Path(".env").touch(mode=0o600)
    Path(".env").write_text(f"DAILY_SPEND_LIMIT=5\nREDIS_URL=redis://x\nPORT={free_port()}\n")
    out = cli("check").out
    assert "REDIS_URL" in out and "nothing needs it" in out and 'limit "daily"' in out


def test_old_names_that_only_the_environment_has_are_told_with_their_switch(
    cli: Cli, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAILY_SPEND_LIMIT", "5")
    (line,) = [line for line in cli("check").out.splitlines() if "old names" in line]
    assert "the old names DAILY_SPEND_LIMIT in the environment do not count" in line
    assert "set SPENDTOP_OLD_NAMES=1 beside them" in line


def test_a_store_that_collected_is_named_with_its_schema(cli: Cli, good: str, home_store: Store) -> None:
    code, out, _ = cli("check")
    assert code == 0
    assert f"{home_store.name}, schema" in out


def test_what_waits_is_told_with_the_next_step(cli: Cli, good: str, home_store: Store) -> None:
    message = Message(kind=MessageKind.EXCEEDED, limit_name="daily", used_nano=5, limit_nano=4)
    event = {"source": "helicone", "state": "open", "reason": "?", "received_at": 0, "size": 1}
    with home_store.writing() as connection:
        for kind in ("unrecognized", "test"):
            connection.execute(table_of(QuarantineTable).insert().values(digest=kind.encode(), kind=kind, **event))
        outbox_rules.enqueue(
            connection, alert_id=1, seq=1, message=message, severity="critical", channels=["ops"], now=0
        )
        connection.execute(table_of(DeliveryTable).update().values(state="dead"))
    code, out, _ = cli("check")
    assert code == 0
    assert (
        "1 event not understood" in out
        and "`spendtop quarantine list`" in out
        and "1 test event," in out
        and "`spendtop delivery list`" in out
    )
    assert out.splitlines()[-1] == "All checks passed, 2 with a warning."


def test_a_wrong_configuration_is_told_by_its_line(cli: Cli) -> None:
    write_config("[server]\nprot = 1\n")
    said = cli("check")
    assert said.code == 78
    assert "spendtop.toml:2: [server] prot: unknown key, holds a whole number" in said.out
    assert 'did you mean "port"?' in said.out


def test_a_busy_port_fails(cli: Cli, busy: int) -> None:
    write_config(GOOD.format(port=busy))
    code, out, _ = cli("check")
    assert code == 69
    assert str(busy) in out and "1 of " in out.splitlines()[-1]


def test_a_port_that_our_collector_holds_is_fine(cli: Cli, busy: int, home_store: Store) -> None:
    write_config(GOOD.format(port=busy))
    pretend_to_collect(home_store)
    code, out, _ = cli("check")
    assert code == 0
    assert f"process {os.getpid()} listens at" in out


def test_what_was_applied_matters_only_while_a_collector_runs(cli: Cli, good: str, home_store: Store) -> None:
    info = CollectorInfo(version="1", host="here", pid=1, url="", started_at=0)
    with home_store.writing() as connection:
        keep(
            connection,
            Applied(limits=(), calendar=Calendar("UTC"), channels=(), collector=info, at=0, config_digest="another"),
        )
    assert "applied last" not in cli("check").out
    pretend_to_collect(home_store)
    assert "applied last" in cli("check").out


def test_a_damaged_store_fails_and_the_rest_is_still_checked(cli: Cli, good: str) -> None:
    data_folder().mkdir(parents=True)
    (data_folder() / "spendtop.db").write_bytes(b"not a database, but long enough for one")
    code, out, _ = cli("check")
    assert code == 65
    assert ".recover" in out and "is free" in out


def test_a_folder_as_store_fails(cli: Cli, good: str) -> None:
    (data_folder() / "spendtop.db").mkdir(parents=True)
    assert cli("check").code == 73


def test_a_pricing_hook_that_cannot_be_loaded_fails(cli: Cli, good: str) -> None:
    Path("costs.py").write_text("price = None\n")
    write_config(good + '[pricing]\nhook = "./costs.py:cost"\n')
    code, out, _ = cli("check")
    assert code == 78
    assert "pricing hook" in out and "costs.py" in out


def test_what_costs_are_computed_with_is_listed(cli: Cli, good: str) -> None:
    Path("costs.py").write_text("def cost(request): return None\n")
    prices = '[prices."*"]\ninput = 5\n[prices.acme]\nweb_search = 0.01\n'
    write_config(good + prices + '[pricing]\nhook = "./costs.py:cost"\nhook_over = "all"\n')
    code, out, _ = cli("check")
    assert code == 0
    assert "of 1 model and of every model without another price" in out
    assert "costs.py:cost, asked before whatever anyone says" in out


def test_an_account_that_exists_by_itself_is_told_with_its_threshold(cli: Cli, good: str) -> None:
    write_config(f'{good}[openai]\nadmin_key = "sk-admin-0123456789abcdef"\n')
    (line,) = [line for line in cli("check").out.splitlines() if "account openai" in line]
    assert "told below $10.00, as it exists by itself" in line
    assert 'an [[account]] with provider = "openai" changes that' in line


def test_an_order_for_a_rule_that_does_not_exist_is_warned_of(cli: Cli, good: str) -> None:
    write_config(good + '[pricing]\nhook_over = "all"\n')
    code, out, _ = cli("check")
    assert code == 0
    assert 'hook_over = "all" without a hook has no effect' in out


@pytest.mark.replaces("monitor/check")
def test_a_channel_that_cannot_work_fails_without_its_url(cli: Cli, good: str) -> None:
    write_config(good + '[[channel]]\nname = "ops"\nurl = "slack://tooshortasecret"\n')
    said = cli("check")
    assert said.code == 78
    assert "tooshortasecret" not in said.out + said.err


def test_open_doors_are_warned_of(cli: Cli) -> None:
    write_config(f"[server]\nport = {free_port()}\n[helicone]\nallow_unsigned = true\n")
    code, out, _ = cli("check")
    assert code == 0
    assert "nobody signed" in out and "with a warning" in out


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(("free", "code", "word"), [(500, 0, "warning"), (150, 0, "warning"), (50, 74, "error")])
def test_a_disk_that_fills_up_is_told(
    cli: Cli, good: str, monkeypatch: pytest.MonkeyPatch, free: int, code: int, word: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(10**12, 0, free * 1024 * 1024))
    said = cli("check")
    disk = next(line for line in said.out.splitlines() if line.startswith("disk"))
    assert said.code == code
    assert word in disk.split()
    assert ("prompts and responses are not kept" in disk) == (free == 150)


def test_a_known_store_that_is_gone_is_no_first_start(cli: Cli, good: str, home_store: Store) -> None:
    known_stores().remember(home_store)
    home_store.close()
    assert home_store.path is not None
    home_store.path.unlink()
    said = cli("check")
    assert said.code == 65
    assert "is gone" in said.out and "will be made" not in said.out


def target_of(url: str) -> Target:
    write_config(f'[[channel]]\nname = "ops"\nurl = "{url}"\n')
    (target,) = targets(load_settings(Options()).settings)
    return target


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("json://127.0.0.1:8123/x", "127.0.0.1", 8123),
        ("jsons://example.org/x", "example.org", 443),
        ("mailto://mail.example.org:2525/?from=a@example.org&to=b@example.org", "mail.example.org", 2525),
        ("mailtos://u:p@example.org?smtp=smtp.example.org&to=b@example.org", "smtp.example.org", 587),
        ("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx", "hooks.slack.com", 443),
        ("https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz", "discord.com", 443),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz0123456789/12345", "api.telegram.org", 443),
        ("ntfy://topic", None, 0),
    ],
)
def test_a_channel_is_reached_where_apprise_sends(url: str, host: str | None, port: int) -> None:
    assert target_of(url) == Target("channel ops", host, port)


def test_providers_are_reached_once_they_have_a_key() -> None:
    write_config('[helicone]\nbase_url = "http://127.0.0.1:81"\n[openai]\nadmin_key = "sk-admin-0123456789abcdef"\n')
    assert list(targets(load_settings(Options()).settings)) == [Target("openai", "api.openai.com", 443)]


def test_the_publisher_of_prices_is_reached_where_lists_are_fetched() -> None:
    write_config("[pricing]\nupdate = true\n")
    (target,) = targets(load_settings(Options()).settings)
    assert target == Target("price list", "raw.githubusercontent.com", 443)


def test_nothing_is_sent() -> None:
    with HttpSink() as sink:
        write_config(f'[[channel]]\nname = "ops"\nurl = "{sink.url("/ok")}"\n')
        (reached,) = probe(load_settings(Options()).settings)
        assert reached.problem is None
        assert sink.arrivals.all == []


def test_what_cannot_be_reached_fails_the_check(cli: Cli) -> None:
    key = 'api_key = "sk-helicone-0123456789"\nwebhook_secrets = ["0123456789abcdef"]'
    write_config(f'[server]\nport = {free_port()}\n[helicone]\nbase_url = "http://127.0.0.1:{free_port()}"\n{key}\n')
    code, out, _ = cli("check", "--probe")
    assert code == 78
    assert "probe helicone" in out and "cannot be reached" in out
    assert cli("check").code == 0


def test_a_theme_that_does_not_exist_and_keys_that_are_taken_are_named(cli: Cli, good: str) -> None:
    own = '[ui]\ntheme = "spendtop-lihgt"\nkeymap = { pause = "j", hlp = "f6", silence = "f7" }\n'
    write_config(good + own)
    code, out, _ = cli("check")
    words = " ".join(out.split())
    assert code == 0
    assert "No theme is called spendtop-lihgt, did you mean spendtop-light?" in words
    assert "'pause' is given the key j, which 'down' has" in words
    assert "no action is called 'hlp', did you mean 'help'?" in words
    assert "f7" not in words
    write_config(good + '[ui]\ntheme = "spendtop-light"\nkeymap = { find = "slash", pause = "f5" }\n')
    assert "2 own keys" in cli("check").out
