from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.alerting.episode import (
    LATE_AFTER,
    LATE_UNTIL,
    MOST_FALLS,
    Decision,
    Episode,
    EpisodeState,
    MessageKind,
    Reading,
    continues,
    decide,
)
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import parse_window

DOLLAR = 1_000_000_000
DAILY = Limit(name="daily", window=parse_window("day"), amount=Usd(100 * DOLLAR), warn=(0.5, 0.8))
ROLLING = Limit(name="hourly", window=parse_window("1h"), amount=Usd(100 * DOLLAR), warn=(0.8,))


@dataclass
class Story:
    """One limit's life, reading by reading."""

    limit: Limit
    episode: Episode | None = None
    now: int = 10 * HOUR

    def use(self, dollars: float, after: int = 0, happened_ago: int = 0) -> Decision:
        self.now += after
        calendar = self.limit is DAILY
        reading = Reading(
            used=Usd(int(dollars * DOLLAR)),
            window_start=0 if calendar else self.now - HOUR,
            window_end=DAY if calendar else None,
            at=self.now,
            happened_at=self.now - happened_ago,
        )
        decision = decide(self.limit, self.episode, reading)
        self.episode = decision.episode
        return decision


def test_nothing_happens_under_the_first_threshold() -> None:
    assert Story(DAILY).use(49.99).episode is None


def test_each_threshold_speaks_once() -> None:
    story = Story(DAILY)
    said = [story.use(dollars).announce for dollars in (40, 50, 60, 79, 80, 99, 100, 150, 500)]
    assert said == [
        None,
        MessageKind.APPROACHING,
        None,
        None,
        MessageKind.APPROACHING,
        None,
        MessageKind.EXCEEDED,
        None,
        None,
    ]


def test_a_jump_over_several_thresholds_says_the_highest_only() -> None:
    story = Story(DAILY)
    assert story.use(130).announce is MessageKind.EXCEEDED
    assert story.episode is not None
    assert (story.episode.announced, story.episode.spoke) == (1.0, 1)


def test_exceeded_begins_at_exactly_the_amount() -> None:
    assert Story(DAILY).use(100).announce is MessageKind.EXCEEDED


def test_a_single_request_is_exceeded_only_above_the_amount_and_never_approaching() -> None:
    single = Limit(name="one", window=parse_window("request"), amount=Usd(10 * DOLLAR))
    assert Story(single).use(10).episode is None
    assert Story(single).use(10.01).announce is MessageKind.EXCEEDED


def test_a_rolling_window_that_swings_around_its_limit_speaks_once() -> None:
    story = Story(ROLLING)
    said = [story.use(101 if minute % 2 else 99, after=MINUTE).announce for minute in range(60)]
    assert [kind for kind in said if kind] == [MessageKind.APPROACHING, MessageKind.EXCEEDED]


def test_a_rolling_window_resolves_after_a_quarter_of_an_hour_under_ninety_percent() -> None:
    story = Story(ROLLING)
    story.use(100)
    assert story.use(89, after=MINUTE).announce is None
    assert story.use(89, after=14 * MINUTE).announce is None
    resolved = story.use(60, after=MINUTE)
    assert resolved.announce is MessageKind.RESOLVED
    assert resolved.episode is not None and resolved.episode.state is EpisodeState.RESOLVED
    assert story.use(100, after=MINUTE).announce is MessageKind.EXCEEDED


def test_a_moment_above_the_hysteresis_starts_the_wait_anew() -> None:
    story = Story(ROLLING)
    story.use(100)
    story.use(89, after=MINUTE)
    story.use(91, after=10 * MINUTE)
    assert story.use(89, after=MINUTE).announce is None
    assert story.use(89, after=14 * MINUTE).announce is None
    assert story.use(89, after=MINUTE).announce is MessageKind.RESOLVED


def test_falling_back_from_exceeded_keeps_the_lower_threshold_announced() -> None:
    story = Story(DAILY)
    story.use(100)
    story.use(85, after=MINUTE)
    resolved = story.use(85, after=MINUTE)
    assert resolved.announce is MessageKind.RESOLVED
    assert resolved.episode is not None and resolved.episode.state is EpisodeState.APPROACHING
    assert story.use(90, after=MINUTE).announce is None


def test_falling_back_from_approaching_is_silent() -> None:
    story = Story(DAILY)
    story.use(50)
    story.use(40, after=MINUTE)
    assert story.use(40, after=MINUTE).announce is None
    assert story.episode is not None and story.episode.state is EpisodeState.RESOLVED


def test_flapping_falls_silent() -> None:
    story = Story(DAILY)
    said: list[MessageKind | None] = []
    for _ in range(10):
        said.append(story.use(110, after=MINUTE).announce)
        story.use(10, after=MINUTE)
        said.append(story.use(10, after=2 * MINUTE).announce)
    assert said.count(MessageKind.EXCEEDED) == MOST_FALLS + 1
    assert said.count(MessageKind.RESOLVED) == MOST_FALLS


def test_a_crossing_found_late_says_so() -> None:
    decision = Story(DAILY).use(100, happened_ago=LATE_AFTER + 1)
    assert decision.late_by == LATE_AFTER + 1
    assert decision.episode is not None and decision.episode.late


def test_a_window_that_ended_long_ago_is_recorded_without_a_word() -> None:
    story = Story(DAILY, now=DAY + LATE_UNTIL)
    decision = story.use(100, happened_ago=LATE_UNTIL + HOUR)
    assert decision.announce is None
    assert decision.episode is not None and decision.episode.state is EpisodeState.EXCEEDED


def test_a_rolling_episode_goes_on_only_within_its_window() -> None:
    assert continues(ROLLING, resolved_at=0, now=HOUR - 1)
    assert not continues(ROLLING, resolved_at=0, now=HOUR)


@given(
    st.lists(st.tuples(st.floats(0, 200), st.integers(0, 30 * MINUTE)), max_size=60), st.sampled_from([DAILY, ROLLING])
)
def test_no_sequence_repeats_itself_or_resolves_what_was_not_exceeded(
    steps: list[tuple[float, int]], limit: Limit
) -> None:
    story = Story(limit)
    numbers: list[int] = []
    exceeded = False
    for dollars, after in steps:
        before = story.episode
        decision = story.use(dollars, after)
        if decision.announce is None:
            assert decision.episode is None or before is None or decision.episode.spoke == before.spoke
            continue
        assert decision.episode is not None
        numbers.append(decision.episode.spoke)
        if decision.announce is MessageKind.RESOLVED:
            assert exceeded
        exceeded = decision.announce is MessageKind.EXCEEDED or (
            exceeded and decision.announce is not MessageKind.RESOLVED
        )
    assert numbers == list(range(1, len(numbers) + 1))


@given(st.lists(st.floats(0, 300), min_size=1, max_size=40))
def test_spend_that_only_grows_speaks_at_most_once_per_threshold(uses: list[float]) -> None:
    story = Story(DAILY)
    said = [story.use(dollars).announce for dollars in sorted(uses)]
    assert said.count(MessageKind.EXCEEDED) == (max(uses) >= 100)
    assert said.count(MessageKind.APPROACHING) <= 2


def snoozed(story: Story, length: int) -> None:
    assert story.episode is not None
    story.episode = replace(story.episode, snoozed_until=story.now + length)


def test_a_snoozed_alert_is_silent_while_it_gets_worse_and_says_what_stands_at_the_end() -> None:
    story = Story(DAILY)
    assert story.use(85).announce is MessageKind.APPROACHING
    snoozed(story, HOUR)
    assert story.use(120, after=MINUTE).announce is None
    assert story.use(120, after=HOUR).announce is MessageKind.EXCEEDED
    assert story.use(130, after=HOUR).announce is None


def test_a_snooze_over_what_has_gone_says_nothing() -> None:
    story = Story(DAILY)
    assert story.use(120).announce is MessageKind.EXCEEDED
    snoozed(story, HOUR)
    for _ in range(3):
        assert story.use(10, after=10 * MINUTE).announce is None
    assert story.use(10, after=HOUR).announce is None
    assert story.episode is not None
    assert (story.episode.state, story.episode.snoozed_until) == (EpisodeState.RESOLVED, None)


def test_messages_of_a_snoozed_alert_are_numbered_by_what_was_said() -> None:
    story = Story(DAILY)
    story.use(60)
    snoozed(story, HOUR)
    story.use(90, after=MINUTE)
    story.use(120, after=MINUTE)
    assert story.episode is not None
    assert story.episode.spoke == 1
    story.use(120, after=HOUR)
    assert story.episode is not None
    assert story.episode.spoke == 2
