"""A configuration with slips in it: what needs no more than the store works on, and says so in one line."""

from __future__ import annotations

import json
from getpass import getuser
from pathlib import Path

import pytest

from spendtop.cli.commands import COMMANDS
from spendtop.cli.options import known_stores
from spendtop.config.paths import config_file, data_folder
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.services import tokens
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.limits import raises
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, PolledSource, keep
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.accounts import OPENAI
from tests.cli.conftest import Cli, minutes_ago, remember, write_config
from tests.cli.test_lists import alert_values
from tests.services.conftest import limit
from tests.store.conftest import Recorded

SLIPS = {
    "unknown key": "[server]\nprot = 1\n",
    "wrong value": '[[limit]]\nname = "daily"\nwindow = "day"\nusd = -5\n',
    "syntax": '[server]\nport = \n[[limit]]\nname = "daily"\n',
    "unset secret": '[helicone]\napi_key = "env:NOT_SET"\n',
    "open to others": '[server]\napi_key = "a-secret-0123456789"\n',
    "several": '[server]\nport = "x"\nhots = 1\n[time]\nzone = "Europe/Berln"\n',
    "hook": '[pricing]\nhook = "./nowhere.py:cost"\n',
}

READING: dict[str, tuple[str, ...]] = {
    "alert list": (),
    "alert show": ("1",),
    "alert ack": ("1",),
    "alert snooze": ("1", "1h"),
    "alert unack": ("1",),
    "alert silence": ("user:ann", "--for", "2h"),
    "alert silences": (),
    "alert unsilence": ("1",),
    "alert undo": (),
    "delivery list": (),
    "quarantine list": (),
    "requests": (),
    "request": ("ID",),
    "sessions": (),
    "session": ("s",),
    "spend": (),
    "export": (),
    "limit list": (),
    "limit check": (),
    "limit raise": ("plain", "+1", "--until", "tomorrow"),
    "limit unraise": ("plain",),
    "limit backtest": ("plain",),
    "status": (),
    "ledger list": (),
    "ledger show": ("openai",),
    "ledger deposit": ("openai", "5"),
    "ledger refund": ("openai", "5"),
    "ledger expire": ("openai", "5"),
    "ledger adjust": ("openai", "5"),
    "ledger sync": ("openai", "5"),
    "token list": (),
    "token create": ("another",),
    "token disable": ("app",),
    "token enable": ("app",),
    "token delete": ("app",),
    "reprice list": (),
    "db backup": ("backup.db",),
    "db verify": (),
    "stop": (),
}
"""What works from the store, with its arguments."""

ASKING = {"delivery retry", "quarantine retry", "poll", "helicone backfill"}
"""What asks the collector: without one they end as they do beside a good file."""

EXPLAINING = {"ledger explain"}
"""What ends with what there is to say: here nothing was billed."""

CONFIGURED = {
    "attach",
    "demo",
    "init",
    "client",
    "check",
    "send-test",
    "helicone connect",
    "helicone status",
    "helicone test",
    "helicone disconnect",
    "anthropic connect",
    "anthropic status",
    "anthropic test",
    "anthropic disconnect",
    "openrouter connect",
    "openrouter status",
    "openrouter test",
    "openrouter disconnect",
    "import",
    "mcp",
    "schema",
    "agents",
    "agents connect",
    "agents push",
    "agents rescan",
    "statusline",
    "reprice",
    "channel list",
    "channel test",
    "deploy",
    "db restore",
    "db move",
    "db views",
}
"""What needs the configuration itself, makes one, or has its own tests of a broken one."""


@pytest.fixture
def request_id(home_store: Store, spent: Recorded) -> str:
    """The id of the one request in a store on which a collector ran."""
    (made,) = spent.add([spent.request(minutes_ago(5), 2_000_000_000, session_id="s", model="gpt-4o")])
    plain = limit("plain", usd=1)
    in_force = Applied(
        limits=(limit("daily", usd=1, reserve="gpt-4o"), plain),
        calendar=Calendar("UTC"),
        channels=("ops",),
        collector=CollectorInfo(version="1", host="here", pid=1, url="http://127.0.0.1:1", started_at=1),
        at=1,
        config_digest="",
        accounts=(OPENAI,),
        pollers=(PolledSource(name="helicone-api", every=1_000_000),),
    )
    with home_store.writing() as connection:
        keep(connection, in_force)
        raises.raise_limit(connection, plain, None, Usd.of("0.5"), minutes_ago(-60), minutes_ago(5))
        connection.execute(table_of(AlertTable).insert().values(**alert_values("daily", "exceeded")))
        alert_actions.silence(connection, "user:ci", minutes_ago(-60), getuser(), minutes_ago(5))
        tokens.create(connection, "app", minutes_ago(5), value=None, shadow=False, length=22)
    return str(made)


@pytest.fixture
def _status_file(home_store: Store) -> None:
    nothing = {"nano": 0, "requests": 0, "unpriced": 0}
    text = json.dumps({"at": minutes_ago(0), "today": nothing, "hour": nothing, "limits": [], "url": ""})
    (data_folder() / "spendtop.db.status.json").write_text(text)


@pytest.mark.usefixtures("_status_file")
@pytest.mark.parametrize("words", READING, ids=str)
def test_what_reads_or_acts_on_the_store_works_beside_it(cli: Cli, request_id: str, words: str) -> None:
    write_config(SLIPS["several"])
    arguments = [request_id if each == "ID" else each for each in READING[words]]
    expected = 11 if words == "limit check" else 0
    said = cli(*words.split(), *arguments)
    assert said.code == expected, said
    if words != "status":  # which asks only where the store is
        told = [line for line in said.err.splitlines() if line.startswith("spendtop: ")]
        assert len(told) == 1 and told[0].startswith("spendtop: spendtop.toml:2: [server] port: must be")
        assert "(and 2 more)" in told[0]


@pytest.mark.parametrize("slip", SLIPS)
def test_whatever_the_slip_is(cli: Cli, request_id: str, slip: str) -> None:
    write_config(SLIPS[slip])
    if slip == "open to others":
        Path("spendtop.toml").chmod(0o644)
    listed, acked = cli("alert", "list"), cli("alert", "ack", "1", "--by", "carol")
    assert (listed.code, acked.code) == (0, 0)
    assert "daily" in listed.out and "spendtop.toml" in listed.err
    assert "acked by carol" in cli("alert", "list").out
    assert "a-secret" not in listed.err


@pytest.mark.parametrize("words", sorted(ASKING))
def test_what_asks_the_collector_ends_as_it_does_beside_a_good_file(cli: Cli, request_id: str, words: str) -> None:
    arguments = ("--since", "1h") if words == "helicone backfill" else ()
    good = cli(*words.split(), *arguments)
    write_config(SLIPS["several"])
    broken = cli(*words.split(), *arguments)
    assert (broken.code, broken.out) == (good.code, good.out)
    assert broken.err.splitlines()[1:] == good.err.splitlines()


def test_every_command_is_one_of_these() -> None:
    assert {*READING, *ASKING, *EXPLAINING, *CONFIGURED} >= set(COMMANDS)


@pytest.mark.parametrize(
    "words", [("channel", "list"), ("helicone", "status"), ("--no-ui",), ("reprice", "--since", "7d")]
)
def test_what_needs_the_configuration_itself_is_refused_with_every_slip(
    cli: Cli, request_id: str, words: tuple[str, ...]
) -> None:
    write_config(SLIPS["several"])
    code, out, err = cli(*words)
    assert (code, out) == (78, "")
    assert err.count("spendtop.toml:") == 3


def test_check_shows_every_slip_and_the_rest_of_its_report(cli: Cli, request_id: str) -> None:
    write_config("[server]\n" + "".join(f"wrong{number} = 1\n" for number in range(30)) + "[ui\n")
    code, out, _ = cli("check")
    assert code == 78
    assert (out.count("unknown key"), out.count("not valid TOML")) == (30, 1)
    for part in ("schema", "ingest keys", "port"):
        assert part in out
    assert "checks failed." in out.splitlines()[-1]


def test_a_store_that_the_broken_part_may_name_is_not_guessed(cli: Cli, request_id: str) -> None:
    write_config('[database]\nurl = "sqlite:////srv/mine.db\n')
    code, out, err = cli("alert", "list")
    assert (code, out) == (78, "")
    assert "spendtop.toml:2" in err and "--database-url" in err
    assert cli("alert", "list", "--database-url", f"sqlite:///{data_folder()}/spendtop.db").code == 0
    code, out, _ = cli("check")
    assert code == 78 and "which one it is cannot be read" in out


def test_the_store_itself_remembers_that_this_file_is_its_own(cli: Cli, home_store: Store, request_id: str) -> None:
    file = write_config('[database]\nurl = "sqlite:////srv/mine.db\n')
    remember(home_store, file)
    assert cli("alert", "list").code == 0
    remember(home_store, file.with_name("other.toml"))
    assert cli("alert", "list").code == 78


def test_a_known_store_that_remembers_the_file_is_the_one(
    cli: Cli, home_store: Store, request_id: str, tmp_path: Path
) -> None:
    file = write_config('[database]\nurl = "sqlite:////srv/mine.db\n')
    home_store.close()
    moved = tmp_path / "mine.db"
    (data_folder() / "spendtop.db").rename(moved)
    mine = Store(f"sqlite:///{moved}")
    assert cli("alert", "list").code == 78
    known_stores().remember(mine)
    assert cli("alert", "list").code == 78
    remember(mine, file)
    mine.close()
    said = cli("alert", "list")
    assert said.code == 0 and "daily" in said.out
    code, out, _ = cli("check")
    assert code == 78 and f"{moved}, schema" in out


def test_a_broken_remembered_file_is_no_reason_to_forget_the_store(
    cli: Cli, home_store: Store, request_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "my project" / "spendtop.toml"
    file.parent.mkdir()
    file.touch(mode=0o600)
    file.write_text(SLIPS["several"])
    remember(home_store, file)
    said = cli("alert", "list")
    assert said.code == 0 and f"{file}:2" in said.err
    file.unlink()
    said = cli("alert", "list")
    assert said.code == 0 and "is gone" in said.err
    code, out, _ = cli("check")
    assert code == 78 and "is gone" in out and "schema" in out


def test_a_broken_file_of_the_users_own_does_not_hide_the_remembered_one(
    cli: Cli, home_store: Store, request_id: str, tmp_path: Path
) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().touch(mode=0o600)
    config_file().write_text(SLIPS["syntax"])
    remember(home_store, write_config("[server]\nport = 1\n", "other.toml"))
    assert cli("channel", "list").code == 0
