"""Signed events: a plain function from a request to its whole answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from spendtop.api.answers import NOT_JSON, HttpAnswer, Refused, error
from spendtop.api.context import Context, Done
from spendtop.api.counters import Count
from spendtop.api.guards import Rules
from spendtop.api.intake import Intake
from spendtop.api.listener.http_request import HttpRequest
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.sources.receivers import NotJson, SignedReceiver, Signing

_COUNTED_AS: Mapping[str, Count] = {
    "stored": Count.INGEST_SUCCESS,
    "duplicate": Count.INGEST_DUPLICATE,
    "test": Count.INGEST_TEST,
    "quarantined": Count.INGEST_QUARANTINED,
}


class WebhookRoute:
    """Takes the signed events of one source; the answer waits for the durable commit."""

    def __init__(self, context: Context, rules: Callable[[], Rules], receiver: SignedReceiver) -> None:
        self._context = context
        self._rules = rules
        self._receiver = receiver
        self._intake = Intake(context, receiver)
        message = f"No signing secret is set. Set {receiver.source.setting}."
        self._closed = error(403, "not_configured", message)
        header = receiver.signature_header.decode().title()
        signed = f"Sign exactly the bytes of the body with a secret of {receiver.source.setting}, in {header}."
        self._unsigned = error(401, "bad_signature", f"The signature is missing or wrong. {signed}")

    async def __call__(self, http: HttpRequest) -> HttpAnswer:
        """The answer to one event. Raises Disconnected."""
        receiver = self._receiver
        signing = self._rules().signing[receiver.source.name]
        try:
            if not signing.secrets and not signing.allow_unsigned:
                raise Refused(self._closed, Count.INGEST_BAD_AUTH, RefusalReason.NO_SECRET)
            signatures = http.header(receiver.signature_header)
            if not _is_open(signing, signatures) and not receiver.is_signature(signatures):
                raise self._unsigned_by(signatures)
            # Nothing here keeps the body: it may be large, and the commit far.
            (outcome,) = await self._intake.record(
                *self._submission(await self._intake.body(http), signatures, signing)
            )
        except Refused as refused:
            return self._intake.refuse(http, refused)
        self._intake.admit(http)
        self._context.counters.add(_COUNTED_AS[outcome.status])
        content = b'{"status":"%b","id":"%d"}' % (outcome.status.encode(), outcome.id)
        return HttpAnswer(202 if outcome.status == "quarantined" else 200, content)

    def _submission(
        self, body: bytes, signatures: Sequence[bytes], signing: Signing
    ) -> tuple[int, Callable[[Done], None]]:
        return len(body), partial(self._hand_over, body, signatures, signing)

    def _hand_over(self, body: bytes, signatures: Sequence[bytes], signing: Signing, done: Done) -> None:
        """Verify, read, hand over. Raises Refused, and CannotWrite."""
        if not _is_open(signing, signatures) and not self._receiver.verify(body, signatures, signing.secrets):
            raise self._unsigned_by(signatures)
        try:
            event = self._receiver.parse(body, self._context.clock())
        except NotJson:
            raise Refused(NOT_JSON, Count.INGEST_NOT_JSON) from None
        self._context.recorder.submit((event,), done)

    def _unsigned_by(self, signatures: Sequence[bytes]) -> Refused:
        reason = RefusalReason.BAD_SIGNATURE if any(signatures) else RefusalReason.NO_SIGNATURE
        return Refused(self._unsigned, Count.INGEST_BAD_AUTH, reason)


def _is_open(signing: Signing, signatures: Sequence[bytes]) -> bool:
    """Whether it is taken without being verified."""
    return signing.allow_unsigned and not (signatures and signing.secrets)
