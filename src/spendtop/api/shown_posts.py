"""What may be shown of a post that was taken, by the settings that are in force."""

from __future__ import annotations

import zlib

from spendtop.api.recent_posts import BEGINNING, TakenPost
from spendtop.config.settings import Settings
from spendtop.domain.bodies.outlines import LONGEST_WORD, PostBody, PostOutline, outline
from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.sources.records import AGENT_PUSHES
from spendtop.sources.privacy import keeps_bodies, keeps_texts, own_secrets

_OUTLINED = 4_096
"""Bytes of a post whose outline is told among those of others."""
_MOST_CUT = 1_024
"""Bytes before a cut that are not shown: a secret that is cut in two is not recognised."""
_GZIP = b"\x1f\x8b"
_NO_TEXT = "It is no text, such as protobuf, which is not shown."
_NO_PROMPTS = "Prompts may not be kept ([privacy] bodies): texts are replaced by their lengths."


class ShownPosts:
    """Of one source, by its name, and for one moment: settings may change."""

    def __init__(self, settings: Settings, source: str) -> None:
        keeps = keeps_texts if source == AGENT_PUSHES.name else keeps_bodies
        self._shows_text = keeps(settings)
        self._redact = Redactor(own_secrets(settings)).redact

    def outline_of(self, post: TakenPost) -> PostOutline:
        """Never with a prompt; where none may be kept, without any word."""
        text = outline(self._redact(_unpacked(post)[:_OUTLINED]), LONGEST_WORD if self._shows_text else 0)
        return PostOutline(post.id, post.at, post.size, text)

    def body_of(self, post: TakenPost) -> PostBody:
        """All that is kept of it, with prompts where these may be kept."""
        unpacked = _unpacked(post)
        content = self._redact(unpacked)
        remarks = []
        if post.size > len(post.beginning) or len(unpacked) >= BEGINNING:
            content = content[:-_MOST_CUT]
            remarks.append(f"Its beginning: {post.size:,} bytes were sent.")
        if self._shows_text:
            text = "" if b"\0" in content else content.decode("utf-8", "replace")
        else:
            text = outline(content, 0)
            remarks.append(_NO_PROMPTS)
        if not text:
            remarks.append(_NO_TEXT)
        return PostBody(post.id, post.at, post.size, text, " ".join(remarks))


def _unpacked(post: TakenPost) -> bytes:
    """As much of it as is kept of one that is not packed."""
    if not post.beginning.startswith(_GZIP):
        return post.beginning
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(post.beginning, BEGINNING)
    except zlib.error:
        return post.beginning
