"""What reports requests: one record per source, which every floor may read; `spendtop.sources` binds it to a reader."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct


class KeyRule(StrEnum):
    """How one who pushes shows who they are."""

    SIGNED = "signature"
    """Each event is signed with a secret of the source's own settings."""
    INGEST_KEY = "ingest key"
    """The post carries one of our own keys."""


class Source(Struct, frozen=True, eq=False, kw_only=True):
    """One source. There is one record of each, so within this program `is` compares them."""

    name: str
    """As the store, exports and filters spell it."""
    trust: int
    """Rank: a field that a smaller one set is never replaced by a larger one. Ranks leave room between them."""
    trusted_because: str
    """Why it ranks there, as a sentence."""
    space: str
    """Where its ids are unique: a gateway's webhook and its API give one request the same id."""
    title: str
    """On the Sources screen."""
    setting: str
    """What switches it on, as in `set ... in spendtop.toml`."""
    tries_share_ids: bool = False
    """Whether a failed try has the id of the one that succeeded after it."""
    written_by_hand: bool = False
    """Whether applications make up its requests themselves: an id is unique within a tracking token only and may be
    missing, and so may the provider."""

    comes_again: ClassVar[bool] = True
    """Whether we read the same requests over and over, and the last word counts; else each is sent once."""

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        """Whether it is the same source or its name: a user's pricing hook gets requests, and knows sources by name."""
        return self is other or self.name == other

    def __hash__(self) -> int:
        return hash(self.name)


class PushedSource(Source, frozen=True, eq=False, kw_only=True):
    """Posts to our listener, each request once."""

    path: str
    further_paths: tuple[str, ...] = ()
    """Where it posts what belongs to that."""
    older_paths: tuple[str, ...] = ()
    """Where older clients still post."""
    key: KeyRule
    sender: str
    """Who posts, as the beginning of a sentence that ends with our address."""
    unsigned_setting: str = ""
    """What lets posts in that nobody signed, where that can be."""
    label: str = "Pushes"
    """Of its line in the banner, which all that push with an ingest key share."""

    comes_again: ClassVar[bool] = False

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.further_paths, *self.older_paths)


class ProviderPush(Source, frozen=True, eq=False, kw_only=True):
    """A provider posts what it served to another source's path; it is told by who wrote it."""

    provider: str
    """As price lists name it; also the word of its commands."""
    path: str

    comes_again: ClassVar[bool] = False


class AskedSource(Source, frozen=True, eq=False, kw_only=True):
    """Is asked at a steady pace, with a key of the provider."""


class AgentSource(Source, frozen=True, eq=False, kw_only=True):
    """A coding agent on this machine, whose files are read from where the last look ended."""


class ImportedSource(Source, frozen=True, eq=False, kw_only=True):
    """What `spendtop import` reads of other tools' files. What only they know may begin and end within a day, so no
    provider's bill of that day is compared with it."""


HELICONE_API = AskedSource(
    name="helicone-api",
    trust=10,
    trusted_because="The gateway's own record of the whole call: its time, cost, session and properties.",
    space="helicone",
    title="helicone API",
    setting="api_key under [helicone]",
)
HELICONE = PushedSource(
    name="helicone",
    trust=20,
    trusted_because="The gateway that carried the call, signed; but a webhook has no time, session or properties.",
    space="helicone",
    title="helicone webhook",
    setting="webhook_secrets under [helicone]",
    path="/webhook",
    key=KeyRule.SIGNED,
    sender="Helicone posts to",
    unsigned_setting="allow_unsigned under [helicone]",
    label="Webhook",
)
INGEST = PushedSource(
    name="ingest",
    trust=90,
    trusted_because="What an application says of its own call, by hand.",
    space="ingest",
    title="ingest",
    setting="ingest_keys under [server]",
    written_by_hand=True,
    path="/ingest",
    older_paths=("/log",),
    key=KeyRule.INGEST_KEY,
    sender="apps post with X-Ingest-Key to",
)
LITELLM = PushedSource(
    name="litellm",
    trust=50,
    trusted_because="The gateway that carried the call, but its cost comes from a price list of its own.",
    space="litellm",
    title="litellm",
    setting="ingest_keys under [server]",
    path="/litellm",
    key=KeyRule.INGEST_KEY,
    sender="LiteLLM's generic_api callback posts to",
)
OTLP = PushedSource(
    name="otlp",
    trust=60,
    trusted_because="Instrumentation inside the application: what its library saw of the call.",
    space="otlp",
    title="otlp",
    setting="ingest_keys under [server]",
    path="/v1/traces",
    further_paths=("/v1/logs", "/v1/metrics"),
    key=KeyRule.INGEST_KEY,
    sender="OpenTelemetry exports to",
)
ANTHROPIC_PUSH = ProviderPush(
    name="anthropic-push",
    trust=30,
    trusted_because="The provider's own span of the whole request, but without its cost, its user and its key.",
    space="anthropic-push",
    title="anthropic push",
    setting="ingest_keys under [server]",
    provider="anthropic",
    path=OTLP.path,
)
OPENROUTER_PUSH = ProviderPush(
    name="openrouter-push",
    trust=40,
    trusted_because="The provider's own span with what it charged; its times are those of its routing.",
    space="openrouter-push",
    title="openrouter push",
    setting="ingest_keys under [server]",
    provider="openrouter",
    path=OTLP.path,
)
PUSHES = (ANTHROPIC_PUSH, OPENROUTER_PUSH)


def _agent(number: int, name: str) -> AgentSource:
    return AgentSource(
        name=name,
        trust=70 + 2 * number,
        trusted_because="What a coding agent keeps of its own calls, in files that are no promise of its maker.",
        space=name,
        title=name,
        setting="enabled under [agents]",
    )


_AGENT_NAMES = ("claude-code", "codex", "gemini-cli", "opencode", "copilot-cli", "amp", "qwen-code", "droid")
AGENTS = tuple(_agent(number, name) for number, name in enumerate(_AGENT_NAMES))
AGENT_PUSHES = PushedSource(
    name="agents",
    trust=AGENTS[0].trust - 1,
    trusted_because="Not a source of its own: a call that comes this way is of the coding agent that it names.",
    space="agents",
    title="agents elsewhere",
    setting="ingest_keys under [server]",
    path="/agents",
    key=KeyRule.INGEST_KEY,
    sender="machines push calls of coding agents to",
)
LITELLM_LOGS = ImportedSource(
    name="litellm-logs",
    trust=100,
    trusted_because="What LiteLLM's own spend logs keep of a call, read from a file or from its API.",
    space=LITELLM.space,
    title="litellm logs",
    setting="spendtop import --from litellm",
    tries_share_ids=True,
)
LANGFUSE = ImportedSource(
    name="langfuse",
    trust=102,
    trusted_because="What Langfuse keeps of what an application told it.",
    space="langfuse",
    title="langfuse",
    setting="spendtop import --from langfuse",
)
PORTKEY = ImportedSource(
    name="portkey",
    trust=104,
    trusted_because="What Portkey's logs keep of a call; what their fields mean is a guess.",
    space="portkey",
    title="portkey",
    setting="spendtop import --from portkey",
)
CURSOR = ImportedSource(
    name="cursor",
    trust=106,
    trusted_because="What Cursor's account page exports of its own calls.",
    space="cursor",
    title="cursor",
    setting="spendtop import --from cursor",
)
TABLE = ImportedSource(
    name="table",
    trust=108,
    trusted_because="A table of unknown origin, read by the names of its columns.",
    space="table",
    title="table",
    setting="spendtop import FILE",
)
IMPORTED = (LITELLM_LOGS, LANGFUSE, PORTKEY, CURSOR, TABLE)
SOURCES: dict[str, Source] = {
    each.name: each for each in (HELICONE_API, HELICONE, INGEST, LITELLM, OTLP, *PUSHES, *AGENTS, *IMPORTED)
}
"""By name, in the order in which people see them."""


def source_named(name: str) -> Source:
    """Raises ValueError where there is none."""
    try:
        return SOURCES[name]
    except KeyError:
        raise ValueError(f"there is no source {name!r}") from None


def by_trust() -> list[Source]:
    """The most trusted first."""
    return sorted(SOURCES.values(), key=lambda source: source.trust)


def pushed_sources(key: KeyRule | None = None) -> Iterator[PushedSource]:
    """What is posted to our listener, or that of it where a sender shows in one way who it is."""
    pushed = (source for source in (*SOURCES.values(), AGENT_PUSHES) if isinstance(source, PushedSource))
    return (source for source in pushed if key in (None, source.key))
