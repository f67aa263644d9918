from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.config.conftest import LoadText

Refusal = Callable[..., str]

LIMIT = '[[limit]]\nname = "a"\nwindow = "day"\nusd = 1\n'
CHANNEL = '[[channel]]\nname = "ops"\n'

TWO = f"{CHANNEL}url = 'json://h'\n[[channel]]\nname = 'mail'\nurl = 'json://m'\n"

BAD = [
    ("[server]\nhots = 1", 2, "[server] hots: unknown key, holds a whole number", 'did you mean "host"?'),
    ("\n[servr]\nport = 1", 2, "[servr]: unknown section", 'did you mean "server"?'),
    ("[[account]]\nname = 'a'\nprovider = 'litellm'\nkey = 'k'", 1, "needs base_url, the address", "localhost:4000"),
    ("[[account]]\nname = 'a'\nprovider = 'xai'\nkey = 'k'", 1, "needs scope, the id of the team", ""),
    ("[[account]]\nname = 'a'\nprovider = 'xai'\nregion = 'us-east-1'", 1, "only of a bedrock account", ""),
    ("[[account]]\nname = 'a'\nprovider = 'openai'\ntier = 1", 1, "which only a google account can have", ""),
    ("[[limits]]\nname = 'a'", 1, "[limits]: must be a table, not a list", "did you mean [[limit]]?"),
    ("port = 9000", 1, "[port]: unknown key outside of any section", "did you mean port in [server]?"),
    ("server = 5", 1, "[server]: must be a table, not a whole number", ""),
    ("[limit]\nname = 'a'", 1, "[limit]: must be a list of tables", "write [[limit]] instead of [limit]"),
    ("# x\n[server]\nport = '9000'", 3, "[server] port: must be a whole number, not text", ""),
    ("[server]\nport = 70000", 2, "[server] port: must be at most 65535", ""),
    ("[server]\nport = true", 2, "[server] port: must be a whole number, not true/false", ""),
    ("[server]\nhost = ''", 2, "[server] host: must not be empty", ""),
    ("[server]\nrate_limit = { rpm = 0 }", 2, "[server] rate_limit.rpm: must be at least 1", ""),
    ("[server]\nrate_limit = { rmp = 3 }", 2, "[server] rate_limit.rmp: unknown key", 'did you mean "rpm"?'),
    ("[server]\nallowed_origins = 'x'", 2, "[server] allowed_origins: must be a list, not text", ""),
    ("[server]\nallowed_origins = [\n'https://a.example',\n'*']", 4, "[server] allowed_origins[1]: must be an", ""),
    ("[server]\npublic_url = 'example.org'", 2, "[server] public_url: must be an address", ""),
    ("[database]\nurl = 'mysql://h/db'", 2, "[database] url: cannot use mysql://", "sqlite:///PATH"),
    ("[database]\nurl = 'sqlite://x.db'", 2, "[database] url: must name a file with three slashes", ""),
    ("[database]\nurl = 'spend.db'", 2, "[database] url: must be an address", ""),
    ("[pricing]\nupdate = 'yes'", 2, "[pricing] update: must be true or false", ""),
    ("[pricing]\nupdate_every = '0s'", 2, "[pricing] update_every: must be longer than zero", ""),
    ("[pricing]\nupdate_every = 24", 2, "[pricing] update_every: must be a duration", ""),
    ("[pricing]\nupdate_url = 'http://a.example/l'", 2, "[pricing] update_url: must be an https address", ""),
    ("[pricing]\nupdate_url = 'file:///etc/passwd'", 2, "[pricing] update_url: must be an https address", ""),
    ("[pricing]\nupdate_url = ''", 2, "[pricing] update_url: must be an https address", ""),
    ("[pricing]\nupdate_url = 'https://u:p@a.example/l'", 2, "[pricing] update_url: must be a plain address", ""),
    (LIMIT + "usd = 2", 5, "a key or section is given twice", ""),
    (LIMIT + LIMIT, 6, '[limit] name: there is another limit "a"', ""),
    (LIMIT + "warn = [0.5, 1.2]", 5, "[limit] warn[1]: must lie between 0 and 1", ""),
    (LIMIT + "warn = [80]", 5, "[limit] warn[0]: must lie between 0 and 1", "0.8 for 80 %"),
    (LIMIT + "warn = 0.8", 5, "[limit] warn: must be a list, not a number", ""),
    (LIMIT + "notify = ['ops']", 5, '[limit] notify[0]: unknown channel "ops"', "there is no [[channel]]"),
    (LIMIT + "fallback = 'ops'", 5, '[limit] fallback: unknown channel "ops"', "there is no [[channel]]"),
    (TWO + LIMIT + "fallback = 'mial'", 11, '[limit] fallback: unknown channel "mial"', 'did you mean "mail"?'),
    (
        TWO + LIMIT + "notify = ['ops']\nfallback = 'ops'",
        12,
        '[limit] fallback: "ops" is the only channel',
        "another one",
    ),
    (TWO + "[anomaly]\nnotify = ['pos']", 8, '[anomaly] notify[0]: unknown channel "pos"', 'did you mean "ops"?'),
    ("[anomaly]\nfactor = 1", 2, "[anomaly] factor: must be more than 1", ""),
    ("[anomaly]\neach = ['provider']", 2, "[anomaly] each[0]", "token"),
    (TWO + "[alerts]\nfallback = 'pos'", 8, '[alerts] fallback: unknown channel "pos"', 'did you mean "ops"?'),
    (
        CHANNEL + "url = 'json://h'\n[alerts]\nfallback = 'ops'",
        5,
        '[alerts] fallback: "ops" is the only',
        "another one",
    ),
    (LIMIT + "each = 'usr'", 5, '[limit] each: must be one of "user"', 'did you mean "user"?'),
    (LIMIT + "where = 'cost>5'", 5, "[limit] where: a limit cannot use cost", "it may use model, provider"),
    (LIMIT + "where = 'usr:bob'", 5, "[limit] where:", "user"),
    (LIMIT + "reserve = 'gpt-4o'", 5, "[limit] reserve: must name a model", '"model:gpt-4o"'),
    ("[[limit]]\nname = 'a'\nwindow = 'day'", 1, "[limit] usd: is missing", ""),
    ("[[limit]]\nname = 'a'\nwindow = 'dya'\nusd = 1", 3, "[limit] window:", "did you mean 'day'?"),
    ("[[limit]]\nname = 'a'\nwindow = 'day'\nusd = 0", 4, "[limit] usd: must be more than $0", ""),
    ("[[limit]]\nname = 'a'\nwindow = 'day'\nusd = -5.5", 4, "[limit] usd: must be more than $0", ""),
    ("[[limit]]\nname = 'a'\nwindow = 'day'\nusd = nan", 4, "[limit] usd: must be a finite amount", ""),
    ("[[limit]]\nname = 'a'\nwindow = 'day'\nusd = '5 EUR'", 4, "[limit] usd: must be an amount", "not text"),
    ("[[limit]]\nname = ' '\nwindow = 'day'\nusd = 1", 2, "[limit] name: must be a name", ""),
    (CHANNEL + "url = ''", 3, "[channel] url: must not be empty", ""),
    (CHANNEL + "url = 'env:NOWHERE'", 3, "[channel] url: the environment variable NOWHERE is not set", ""),
    (CHANNEL + "url = 'file:nowhere'", 3, "[channel] url: cannot read the secret's file", "No such file"),
    (CHANNEL + "url = 'slack'", 3, "[channel] url: must be an Apprise URL", ""),
    (CHANNEL + "url = 'syslog://x'", 3, "[channel] url: syslog:// is not allowed", ""),
    (CHANNEL + "url = 'json://h/?optional=yes'", 3, "[channel] url: remove optional=", ""),
    (CHANNEL + "url = 'json://h/?retry=3'", 3, "[channel] url: remove retry=", ""),
    (CHANNEL + "url = 'jsons://h/?verify=no'", 3, "[channel] url: remove verify=", ""),
    (CHANNEL + "url = 'mailto://h?to=a@x.org,b@x.org'", 3, "[channel] url: has more than one recipient", ""),
    (CHANNEL + "url = 'json://h'\nmin_severity = 'warn'", 4, "[channel] min_severity: must be one of", '"warning"?'),
    ("[[account]]\nname = 'a'\nprovider = 'opnai'", 3, "[account] provider: must be one of", 'did you mean "openai"?'),
    ("[[account]]\nname = 'a'\nprovider = 'openai'\nlow_balance = 0", 4, "[account] low_balance: must be more", ""),
    ("[helicone]\npoll_every = 300", 2, "[helicone] poll_every: must be a duration", '"5m"'),
    ("[helicone]\npoll_every = '500ms'", 2, '[helicone] poll_every: must be at least "1s"', ""),
    ("[helicone]\nbackfill = '4 weeks'", 2, "[helicone] backfill:", "duration"),
    ("[helicone]\nwebhook_secrets = 'x'", 2, "[helicone] webhook_secrets: must be a list, not text", ""),
    ("[openai]\nbilling_page = 'real'", 2, "[openai] billing_page: must be one of", '"realtime"?'),
    ("[openai]\nepoch = '2026-11-01'", 2, "[openai] epoch: must be a date", "not text"),
    ("[prices.'m x']", 1, '[prices] "m x": has no price; give at least one, such as input', ""),
    ("[prices.m]\naudio_inputs = 1", 2, "[prices] m.audio_inputs: unknown key", 'did you mean "audio_input"?'),
    ("[prices.m]\nprompt = 1", 2, "[prices] m.prompt: unknown key", "valid here: input, output, cache_read"),
    (
        "[prices.m]\nweb_search = 1\nweb_searches_per_thousand = 1",
        1,
        "[prices] m: has web_search and web_searches_per_thousand, which are two prices of the same; give one",
        "",
    ),
    ("[prices.m]\ninput = -1\noutput = 1", 2, "[prices] m.input: must not be negative", ""),
    ("[pricing]\nhook = 'costs.py'", 2, "[pricing] hook: must name a file and a function", ""),
    ("[pricing]\nhook = 'nowhere.py:cost'", 2, "[pricing] hook: there is no file", ""),
    ("[anomaly]\nfactor = 'x'", 2, "[anomaly] factor: must be a number, not text", ""),
    ("[[account]]\nname = 'a'\nprovider = 'google'\ntier = 9", 4, "[account] tier: must be one of 1, 2, 3", ""),
    ("[privacy]\nbodies = 'ful'", 2, "[privacy] bodies: must be one of", 'did you mean "full"?'),
    ("[time]\nzone = 'Europe/Berln'", 2, "[time] zone: unknown time zone", "'Europe/Berlin'"),
    ("[time]\nday_starts = '25:00'", 2, "[time] day_starts:", "time of day"),
    ("[time]\nweek_starts = 'mon'", 2, "[time] week_starts: must be one of", ""),
    ("[ui]\nkeymap = { quit = 1 }", 2, "[ui] keymap.quit: must be text, not a whole number", ""),
    ("[server\nport = 1", 1, "not valid TOML", "one key = value per line"),
    ("[server]\nport = 1; host = 'x'", 2, "not valid TOML", ""),
    ("[server]\nport =", 2, "not valid TOML", ""),
]


@pytest.mark.parametrize(("text", "line", "place", "hint"), BAD, ids=[case[2] for case in BAD])
def test_a_wrong_value_is_refused_with_line_place_and_remedy(
    refusal: Refusal, text: str, line: int, place: str, hint: str
) -> None:
    told = refusal(text)
    assert told.startswith(f"spendtop.toml:{line}:")
    assert place in told
    assert hint in told


def test_all_errors_are_told_at_once_in_the_order_of_their_lines(refusal: Refusal) -> None:
    told = refusal("[server]\nport = 'x'\nhots = 1\n[[limit]]\nname = 'a'\nnotify = ['b']\n[ui]\ntheme = 5")
    assert [int(line.split(":")[1]) for line in told.splitlines()] == [2, 3, 4, 4, 6, 8]


def test_at_most_twenty_errors_are_shown(refusal: Refusal) -> None:
    told = refusal("[server]\n" + "".join(f"wrong{number} = 1\n" for number in range(30)))
    assert len(told.splitlines()) == 21
    assert told.endswith("... and 10 more; `spendtop check` shows all")


@pytest.mark.parametrize(
    "text",
    [
        "[server]\napi_key = ['CANARY']",
        "[server]\napi_kye = 'CANARY'",
        "[server]\ningest_keys = { a = ['CANARY'] }",
        "[server]\ningest_keys = 'CANARY'",
        "[database]\nurl = 'mysql://user:CANARY@host/db'",
        "[database]\nurl = 'CANARY'",
        "[helicone]\nwebhook_secrets = [['CANARY']]",
        "[helicone]\nbase_url = 'https://u:CANARY@host'",
        CHANNEL + "url = 'slak:/CANARY'",
        CHANNEL + "url = 'syslog://CANARY'",
        CHANNEL + "url = 'json://CANARY/?optional=yes'",
        CHANNEL + "url = 'mailto://u:CANARY@h?to=a,b'",
        "[[account]]\nname = 'a'\nprovider = 'openai'\nkey = { x = 'CANARY' }",
    ],
)
def test_no_refusal_shows_a_secret(refusal: Refusal, text: str) -> None:
    assert "CANARY" not in refusal(text + "\n[ui]\ntheme = 1")


def test_a_wrong_variable_is_named(refusal: Refusal) -> None:
    told = refusal("", {"SPENDTOP_SERVER__PORT": "many", "SPENDTOP_SERVER__HOTS": "x", "SPENDTOP_SRVER__PORT": "1"})
    assert "environment SPENDTOP_SERVER__PORT: [server] port: must be a whole number, not text" in told
    assert 'environment SPENDTOP_SERVER__HOTS: [server] hots: unknown key, holds text; did you mean "host"?' in told
    assert 'environment SPENDTOP_SRVER__PORT: [srver]: unknown section; did you mean "server"?' in told


def test_hostile_names_are_shown_harmlessly(refusal: Refusal) -> None:
    told = refusal('[server]\n"\\u001b[31m\\u202e" = 1\n' + LIMIT + 'notify = ["\\u0007"]')
    assert told.isascii()
    assert "\\u001b[31m\\u202e" in told


SOUND_CHANNEL = CHANNEL + 'url = "json://127.0.0.1:9"\n'


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[server]\nhost = '0.0.0.0'", "0.0.0.0 is open to other machines without server.api_key"),
        ("[server]\napi_key = 'short'", "server.api_key is short"),
        ("[server]\ningest_keys = { ci = 'short' }", "server.ingest_keys.ci is short"),
        ("[helicone]\npoll_every = '5s'", "helicone poll_every 5s is below 1m"),
        ("[[account]]\nname = 'r'\nprovider = 'openrouter'\npoll_every = '59s'", 'account "r" poll_every 59s'),
        (LIMIT, "limits are shown on screen only"),
        (LIMIT + "notify = []\n" + SOUND_CHANNEL, 'channel "ops" is named by no limit'),
    ],
)
def test_doubtful_settings_work_and_warn(load_text: LoadText, text: str, part: str) -> None:
    (warning,) = load_text(text).warnings
    assert part in warning


def test_sound_settings_do_not_warn(load_text: LoadText) -> None:
    text = "[server]\nhost = '0.0.0.0'\napi_key = '0123456789abcdef'\n[helicone]\npoll_every = '1m'\n"
    assert load_text(text + LIMIT + SOUND_CHANNEL).warnings == ()
