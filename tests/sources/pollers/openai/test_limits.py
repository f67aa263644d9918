"""What the organization and its projects may spend at OpenAI."""

from __future__ import annotations

import pytest

from spendtop.domain.limits.provider_limits import LimitMeasure
from spendtop.domain.money import Usd
from tests.provider_pages import FakeApi, document
from tests.sources.pollers.fake_provider import Answer, answer
from tests.sources.pollers.polled import OPENAI, ORGANIZATION, openai, told


async def test_openai_tells_limits_and_alerts_in_cents_and_404_is_none() -> None:
    with FakeApi(OPENAI, authorization="Bearer sk-admin-canary") as fake:
        organization, mail, project = await told(openai(fake))
        paths = fake.paths()
    assert (organization.scope, organization.amount, organization.enforced) == ("organization", Usd.of(2500), False)
    assert (mail.scope, mail.amount, mail.enforced, mail.interval) == ("organization", Usd.of(2000), False, "month")
    assert (project.scope, project.subject, project.name) == ("project", "proj_checkout", "Checkout")
    assert (project.amount, project.enforced, project.measure) == (Usd.of(500), True, LimitMeasure.BILLED)
    assert {each.used for each in (organization, mail, project)} == {None}
    assert paths[-1] == f"{ORGANIZATION}/projects/proj_checkout/spend_alerts"


@pytest.mark.parametrize(
    "nothing", [Answer(body=b"null"), answer(document("openai/spend_limit_none_404")["body"], 404)]
)
async def test_an_organization_of_openai_without_a_limit_has_none(nothing: Answer) -> None:
    pages: dict[str, bytes | Answer | list[bytes]] = {
        **OPENAI,
        f"{ORGANIZATION}/spend_limit": nothing,
        f"{ORGANIZATION}/projects": b'{"data": []}',
    }
    with FakeApi(pages) as fake:
        assert [each.amount for each in await told(openai(fake))] == [Usd.of(2000)]
