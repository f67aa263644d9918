"""Who serves the calls of a span, and at which terms: the same for most spans of a program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from spendtop.domain.reports.merging import bare_model
from spendtop.domain.requests.request import ServiceLevel
from spendtop.domain.untrusted import NAME_LIMIT
from spendtop.sources.receivers.otlp.attributes import models
from spendtop.sources.receivers.otlp.forms import SpanForm
from spendtop.sources.receivers.otlp.names import AttributeNames
from spendtop.sources.receivers.otlp.providers import provider
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan
from spendtop.sources.receivers.otlp.usage import inference_geo, service_level
from spendtop.sources.receivers.otlp.writers import SpanWriter, Teller, writer_of


class SpanTerms(Struct, frozen=True):
    models: Sequence[str]
    """All names that the span has for the model, the one to price it by first."""
    provider: str | None
    writer: SpanWriter
    service_level: ServiceLevel | None
    inference_geo: str | None
    other_model: str | None
    """Another one that the span has besides the first."""

    @property
    def model(self) -> str | None:
        return self.models[0] if self.models else None


def terms_of(
    span: TraceSpan, attributes: Attributes, form: SpanForm, response: Attributes, request: Attributes
) -> SpanTerms:
    """What a span with these attributes, and with these whole bodies, says."""
    told_by = Teller(span.scope_name, span.scope_version, span.name)
    if form.is_remembered and not response and not request:
        said = tuple([attributes[name] for name in form.telling])
        if all(type(each) is str and len(each) <= NAME_LIMIT for each in (*told_by, *said)):
            return _remembered(told_by, form, said)
    return _terms(told_by, attributes, form.names, response, request)


@lru_cache(maxsize=256)
def _remembered(told_by: Teller, form: SpanForm, said: Sequence[object]) -> SpanTerms:
    attributes = {**dict.fromkeys(form.present), **dict(zip(form.telling, said, strict=True))}
    return _terms(told_by, attributes, form.names, {}, {})


def _terms(
    told_by: Teller, attributes: Attributes, names: AttributeNames, response: Attributes, request: Attributes
) -> SpanTerms:
    named, billed_by = models(attributes, response, request, names), provider(attributes, names)
    first = bare_model(named[0]) if named else None
    return SpanTerms(
        models=named,
        provider=billed_by,
        writer=writer_of(told_by, attributes, billed_by, named[0] if named else None),
        service_level=service_level(attributes, response, names),
        inference_geo=inference_geo(attributes, names),
        other_model=next((each for each in named if bare_model(each) != first), None),
    )
