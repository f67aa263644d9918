"""Posts that are not taken because of who sends them: why, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.domain.counted import counted
from spendtop.domain.sources.records import KeyRule, PushedSource
from spendtop.domain.untrusted import clean_line

_LONGEST_NAME = 60


class RefusalReason(StrEnum):
    """What is wrong with how a sender shows who it is, as the store spells it."""

    NO_SECRET = "no_secret"
    NO_SIGNATURE = "no_signature"
    BAD_SIGNATURE = "bad_signature"
    NO_KEY_HERE = "no_key_here"
    NO_KEY = "no_key"
    BAD_KEY = "bad_key"
    UNKNOWN_TOKEN = "unknown_token"
    DISABLED_TOKEN = "disabled_token"

    @property
    def words(self) -> str:
        """For a person."""
        return _WORDS[self][0]

    @property
    def is_blank(self) -> bool:
        """Whether the sender showed nothing at all, as those do who scan the network."""
        return self in (RefusalReason.NO_SIGNATURE, RefusalReason.NO_KEY)


_WORDS = {
    RefusalReason.NO_SECRET: ("no signing secret is set here", "Set {setting}"),
    RefusalReason.NO_SIGNATURE: (
        "there is no signature",
        "Only what the gateway signed is taken; its secret is set as {setting}",
    ),
    RefusalReason.BAD_SIGNATURE: (
        "the signature does not match",
        "Compare {setting} (in a .env HELICONE_WEBHOOK_SECRET) with the secret that the gateway shows for this webhook",
    ),
    RefusalReason.NO_KEY_HERE: ("no ingest key is set here", "Set {setting}"),
    RefusalReason.NO_KEY: ("there is no ingest key", "Send one of {setting} as X-Ingest-Key"),
    RefusalReason.BAD_KEY: ("the ingest key is unknown", "Compare what is sent as X-Ingest-Key with {setting}"),
    RefusalReason.UNKNOWN_TOKEN: (
        "the tracking token is unknown",
        "`spendtop token list` shows those that exist, `spendtop token create` makes one",
    ),
    RefusalReason.DISABLED_TOKEN: (
        "the tracking token is switched off",
        "`spendtop token enable` switches it on",
    ),
}
"""Of each reason what is wrong, and what to do."""


class RefusedPosts(Struct, frozen=True, kw_only=True):
    """What one source sent in vain for one reason."""

    source: PushedSource
    reason: RefusalReason
    count: int
    token: str = ""
    """Name of the tracking token that is switched off."""

    @property
    def fact(self) -> str:
        """Such as `5 webhooks refused: the signature does not match`."""
        if self.source.key is KeyRule.SIGNED:
            posts = counted(self.count, "webhook")
        else:
            posts = f"{'1 push' if self.count == 1 else f'{self.count:,} pushes'} to {self.source.path}"
        why = self.reason.words
        if self.token:
            why = why.replace("token", f"token {clean_line(self.token, _LONGEST_NAME)}")
        return f"{posts} refused: {why}"

    @property
    def advice(self) -> str:
        """What to do."""
        return _WORDS[self.reason][1].format(setting=self.source.setting)

    @property
    def sentence(self) -> str:
        return f"{self.fact}. {self.advice}."
