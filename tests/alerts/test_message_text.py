from __future__ import annotations

import pytest
from msgspec.structs import replace

from spendtop.alerts.message_text import BODY_LIMIT, TITLE_LIMIT, Dispatch, channel_test_message, notify_type, render
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import HOUR, MINUTE

FIRST = Dispatch(sender="build-7", ref="7f3a90c1d2e4b5a6")
MIDNIGHT = 1_795_129_200_000_000  # 2026-11-20 00:00 in Berlin
EXCEEDED = Message(
    kind=MessageKind.EXCEEDED,
    limit_name="daily",
    entity="alice",
    alert=17,
    each="user",
    window="day",
    window_start=MIDNIGHT,
    window_end=MIDNIGHT + 24 * HOUR,
    zone="Europe/Berlin",
    used_nano=105_200_000_000,
    limit_nano=100_000_000_000,
    unpriced=3,
    contributors=(("model", "gpt-4o", 90_000_000_000), ("model", "o3", 15_200_000_000)),
    at=MIDNIGHT + 14 * HOUR + 3 * MINUTE,
    late_by=3 * HOUR + 12 * MINUTE,
    next_words="speaks again in the next window",
)
HOSTILE = "@everyone <!channel> <@U1> [x](http://e)\r\nBcc: e@e\x1b[31m\u202e"


def test_an_alert_says_whose_money_which_window_how_much_and_when_it_speaks_again() -> None:
    text = render(EXCEEDED, replace(FIRST, attempt=2))
    assert text.title == "exceeded: daily user alice $105.20 of $100.00"
    assert text.body.splitlines() == [
        "Limit daily, user alice:",
        "$105.20 + 3 unpriced of $100.00 (105 %)",
        "Window: day, 2026-11-20 00:00 to 2026-11-21 00:00 Europe/Berlin",
        "Since: 2026-11-20 14:03 Europe/Berlin, detected late by 3 h 12 min",
        "Top: model gpt-4o $90.00, model o3 $15.20",
        "Speaks again in the next window.",
        "From spendtop on build-7. `spendtop alert ack 17` takes it on.",
        "[ref 7f3a90c1·2]",
    ]


def test_a_raised_limit_says_by_how_much_and_until_when() -> None:
    raised = replace(EXCEEDED, raised_nano=20_000_000_000, raised_until=MIDNIGHT + 24 * HOUR)
    lines = render(raised, FIRST).body.splitlines()
    assert lines[2] == "The limit is raised by $20.00 until 2026-11-21 00:00 Europe/Berlin."


def test_a_family_of_models_is_named_in_words() -> None:
    title = render(replace(EXCEEDED, each="model_family", entity="gpt-4o"), FIRST).title
    assert title == "exceeded: daily model family gpt-4o $105.20 of $100.00"


@pytest.mark.parametrize("kind", [MessageKind.APPROACHING, MessageKind.EXCEEDED, MessageKind.RESOLVED])
def test_a_title_contains_the_state_and_the_limit(kind: MessageKind) -> None:
    title = render(replace(EXCEEDED, kind=kind, entity=""), FIRST).title
    assert kind.value in title
    assert "daily" in title


def test_a_limit_that_is_named_for_what_it_is_each_of_reads_like_that() -> None:
    title = render(replace(EXCEEDED, limit_name="each user"), FIRST).title
    assert title == "exceeded: each user alice $105.20 of $100.00"


def test_a_message_about_one_request_names_it() -> None:
    one = replace(
        EXCEEDED, limit_name="one request", entity="", each=None, window="request", window_end=None, request=1_795_129
    )
    text = render(replace(one, contributors=(("user", "alice", 1), ("model", "gpt-4o", 1))), FIRST)
    assert text.title == "exceeded: one request 1795129 $105.20 of $100.00"
    assert text.body.startswith("Limit one request, request 1795129, user alice, model gpt-4o:\n")
    assert "`spendtop request 1795129` shows it." in text.body
    assert "Top:" not in text.body


@pytest.mark.parametrize(
    ("used", "limit", "written"),
    [
        (4_200_000, 5_000_000_000, "$0.0042 of $5.0000"),
        (500_000_000, 400_000_000, "$0.50 of $0.40"),
        (155_000_000, 100_000_000, "$0.155 of $0.100"),
        (1, 10**9, "<$0.000001 of $1.000000"),
        (0, 10**9, "$0.00 of $1.00"),
        (1_234_567_890_000, 10**12, "$1,234.57 of $1,000.00"),
    ],
)
def test_the_amounts_of_a_line_have_the_same_decimals(used: int, limit: int, written: str) -> None:
    text = render(replace(EXCEEDED, used_nano=used, limit_nano=limit, unpriced=0), FIRST)
    assert text.title.endswith(written)
    assert text.body.splitlines()[1].startswith(written)


def test_the_amounts_of_what_spent_most_have_the_same_decimals() -> None:
    top = (("model", "o3", 12 * 10**9), ("model", "mini", 1_200_000))
    assert "Top: model o3 $12.0000, model mini $0.0012\n" in render(replace(EXCEEDED, contributors=top), FIRST).body


def test_plain_text_breaks_no_address() -> None:
    mail = replace(EXCEEDED, entity="alice@acme.com", lines=("See https://acme.com/keys.",))
    assert "alice@acme.com" not in render(mail, FIRST).title
    plain = render(mail, FIRST).unbroken
    assert "user alice@acme.com " in plain.title
    assert "user alice@acme.com:" in plain.body
    stale = replace(mail, kind=MessageKind.STALE)
    assert "https://acme.com/keys" in render(stale, FIRST).unbroken.body


def test_a_limit_for_everyone_and_without_bounds_says_so() -> None:
    body = render(replace(EXCEEDED, entity="", each=None, window="request", window_start=None), FIRST).body
    assert "Limit daily, everyone:" in body
    assert "Window: request\n" in body


def test_what_was_found_in_time_is_not_called_late() -> None:
    assert "late" not in render(replace(EXCEEDED, late_by=None), FIRST).body


def test_a_message_about_many_names_one_and_says_how_many_more() -> None:
    text = render(replace(EXCEEDED, others=5991), FIRST)
    assert text.title.endswith(" and 5,991 more")
    assert "And 5,991 more of this limit within a minute. `spendtop alert list` has them all.\n" in text.body


def test_a_message_about_a_channel_names_what_it_did_not_take_and_says_all_of_it() -> None:
    lost = replace(EXCEEDED, others=3)
    about = Message(kind=MessageKind.UNDELIVERED, limit_name="my ops", lost=lost, lines=("HTTP 410",), others=2)
    text = render(about, FIRST)
    assert text.title.startswith("undelivered: channel my ops: exceeded: daily")
    assert text.title.endswith(" and 3 more and 2 more")
    assert text.body.startswith("Channel my ops did not take this message: HTTP 410.\nNor 2 more.")
    assert "`spendtop channel test 'my ops'` tries it" in text.body
    assert render(EXCEEDED, FIRST).body.splitlines()[1] in text.body


def test_a_contributor_without_a_name_is_told_as_none() -> None:
    assert "Top: user (none) $1.00" in render(replace(EXCEEDED, contributors=(("user", "", 10**9),)), FIRST).body


@pytest.mark.parametrize("kind", list(MessageKind))
def test_the_longest_names_keep_within_the_limits_and_leave_the_ref(kind: MessageKind) -> None:
    long = "@<" * 500
    message = replace(
        EXCEEDED,
        kind=kind,
        limit_name=long,
        entity=long,
        contributors=(("user", long, 10**18),) * 40,
        next_words=long,
        lines=(long,) * 30,
        others=5991,
    )
    text = render(message, replace(FIRST, attempt=12))
    assert len(text.title) <= TITLE_LIMIT
    assert len(text.body) <= BODY_LIMIT
    assert "5,991 more" in text.title
    assert text.body.endswith("\n[ref 7f3a90c1·12]")


def test_a_hostile_name_mentions_nobody_and_carries_no_markup_or_control() -> None:
    message = replace(
        EXCEEDED, limit_name=HOSTILE, entity=HOSTILE, contributors=(("user", HOSTILE, 1),), lines=(HOSTILE,)
    )
    for kind in MessageKind:
        text = render(replace(message, kind=kind), FIRST)
        assert "\n" not in text.title
        shown = text.title + text.body
        for live in ("@everyone", "<!channel>", "<@", "](", "://", "\nBcc", "\r", "\x1b", "\u202e"):
            assert live not in shown


def test_a_test_message_says_that_it_is_one() -> None:
    text = render(channel_test_message(MIDNIGHT), FIRST)
    assert text.title == "spendtop test message"
    assert "This channel works." in text.body
    assert "From spendtop on build-7.\n" in text.body


@pytest.mark.parametrize(
    ("kind", "severity", "expected"),
    [
        (MessageKind.EXCEEDED, "critical", "failure"),
        (MessageKind.APPROACHING, "warning", "warning"),
        (MessageKind.RESOLVED, "info", "success"),
        (MessageKind.TEST, "info", "info"),
    ],
)
def test_severity_decides_how_the_message_is_marked(kind: MessageKind, severity: str, expected: str) -> None:
    assert notify_type(kind, severity) == expected


LOW = Message(
    kind=MessageKind.LOW_BALANCE,
    limit_name="openai",
    alert=18,
    used_nano=9_996_000_000,
    limit_nano=10_000_000_000,
    burn_nano=3_200_000_000,
    runs_out_at=MIDNIGHT + 75 * HOUR,
    zone="Europe/Berlin",
    at=MIDNIGHT,
    next_words="Speaks again after the balance was back at $11.00, or credit was entered.",
)
STALE = Message(
    kind=MessageKind.STALE,
    limit_name="openai-costs",
    zone="Europe/Berlin",
    at=MIDNIGHT,
    lines=("OpenAI refused the key (401). Create an admin key.",),
)


def test_a_low_balance_never_reads_as_more_than_it_is() -> None:
    text = render(LOW, FIRST)
    assert text.title == "low balance: openai $9.99 of $10.00"
    assert text.body.splitlines() == [
        "Account openai: $9.99 is left, less than $10.00.",
        "It falls by $3.20 per day and runs out about 2026-11-23 03:00 Europe/Berlin.",
        "Since: 2026-11-20 00:00 Europe/Berlin",
        "Speaks again after the balance was back at $11.00, or credit was entered.",
        "From spendtop on build-7. `spendtop alert ack 18` takes it on.",
        "[ref 7f3a90c1·1]",
    ]


@pytest.mark.parametrize(
    ("burn", "runs_out_at", "line"),
    [
        (None, None, "How fast it falls is not known: the last 7 days cost nothing that is known."),
        (1_000, None, "It falls by $0.000001 per day."),
        (3_200_000_000, MIDNIGHT, "It falls by $3.20 per day and is used up."),
    ],
)
def test_how_long_a_balance_lasts_is_told_as_far_as_it_is_known(
    burn: int | None, runs_out_at: int | None, line: str
) -> None:
    low = replace(LOW, burn_nano=burn, runs_out_at=runs_out_at)
    assert render(low, FIRST).body.splitlines()[1] == line


def test_stale_data_say_since_when_and_why() -> None:
    text = render(STALE, FIRST)
    assert text.title == "stale data: openai-costs"
    assert text.body.splitlines() == [
        "openai-costs was read last at 2026-11-20 00:00 Europe/Berlin. What was spent since then is in no figure.",
        "OpenAI refused the key (401). Create an admin key.",
        "From spendtop on build-7. `spendtop alert list` has it.",
        "[ref 7f3a90c1·1]",
    ]


def test_what_stops_recording_is_said_with_what_to_do() -> None:
    stopped = Message(
        kind=MessageKind.NOT_RECORDING,
        limit_name="store",
        at=STALE.at,
        lines=("The store /srv/a.db was deleted.", "rm -f '/srv/a.db-wal' @everyone"),
    )
    text = render(stopped, FIRST)
    assert text.title == "spendtop is not recording: store"
    first, second, since, next_step, _ = text.body.splitlines()
    assert first == "The store /srv/a.db was deleted."
    assert second.startswith("rm -f '/srv/a.db-wal'") and "@everyone" not in second
    assert since.startswith("Since: ")
    assert next_step == "From spendtop on build-7. `spendtop check` looks for what is wrong."
    assert notify_type(stopped.kind, stopped.kind.severity) == "failure"


def test_what_was_never_read_says_so() -> None:
    assert "openai-costs was read not even once." in render(replace(STALE, at=0), FIRST).body


@pytest.mark.parametrize(
    ("over", "title", "line"),
    [
        (LOW, "resolved: low balance openai $9.99 of $10.00", "Account openai: $9.99 is left."),
        (STALE, "resolved: stale data openai-costs", "openai-costs is read again"),
    ],
)
def test_what_is_over_says_what_was(over: Message, title: str, line: str) -> None:
    text = render(replace(over, kind=MessageKind.RESOLVED, resolves=over.kind), FIRST)
    assert text.title == title
    assert text.body.startswith(line)


@pytest.mark.parametrize("kind", [MessageKind.LOW_BALANCE, MessageKind.STALE])
def test_accounts_with_hostile_names_harm_nobody(kind: MessageKind) -> None:
    text = render(replace(LOW, kind=kind, limit_name=HOSTILE, lines=(HOSTILE,)), FIRST)
    for forbidden in ("@everyone", "<!channel>", "\x1b", "\u202e", "](", "://"):
        assert forbidden not in text.title + text.body
    assert "\n" not in text.title
