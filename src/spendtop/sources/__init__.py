"""Where facts about requests come from. Receivers are pushed to; pollers pull. One file per source."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.request import Source
from spendtop.sources.receivers import SignedReceiver
from spendtop.sources.receivers.helicone import HeliconeReceiver

SIGNED_RECEIVERS: Mapping[Source, type[SignedReceiver]] = {
    Source.HELICONE: HeliconeReceiver,
}
