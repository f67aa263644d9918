"""How the clouds write the names of the models they sell, in lower case: routes, regions, owners."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spendtop.domain.billers import biller_named
from spendtop.domain.model_names import OWNERS, REGIONS, is_fine_tune

_OWNERS_AT = {
    "aws": ("anthropic", "minimax", "mistral", "moonshotai", "openai", "x-ai"),
    "azure": ("openai", "anthropic", "x-ai", "moonshotai"),
    "google": ("anthropic",),
}
"""Whose models a cloud sells at the owner's own price, which holds where the cloud's list lacks a model.

DeepSeek at Azure, Cohere at Bedrock and Mistral at Vertex are sold at other prices than their owners'.
"""
_OTHERWISE = frozenset({("azure", "grok-3-mini")})
"""What a cloud sells at another price all the same."""
_IN_ONE_REGION = frozenset({"minimax", "mistral", "moonshotai"})
"""Whose price Bedrock takes also where a request stays in one region; what others sell is dearer there."""

_REGIONAL = tuple(f"{region}." for region in REGIONS.split("|"))
_AT_BEDROCK = re.compile(
    r"(?:arn:aws[a-z-]*:bedrock:(?P<home>[a-z0-9-]*):\d*:(?:foundation-model|inference-profile)/"
    r"|(?:(?:converse|invoke)/)?(?:(?P<route>[a-z]{2}(?:-[a-z]+)+-\d)/)?)(?P<model>.+)"
)
_OWNED_AT_BEDROCK = re.compile(rf"(?P<region>(?:{REGIONS})\.)?(?P<owner>{OWNERS})\.(?P<model>.+)")
_VERSION_AT_BEDROCK = re.compile(r"(?:(?<=\d{8})-v\d+)?:\d$|-v1:0$")
_AT_AZURE = re.compile(r"^(?:global|global-standard)/")
_AT_GOOGLE = re.compile(
    r"^(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/(?:anthropic|google)/models|models|anthropic|google)/"
)
_NAMES_AWS = re.compile(rf"arn:aws[a-z-]*:|(?:(?:{REGIONS})\.)?(?:{OWNERS})\.[a-z][a-z0-9.-]*[0-9a-z](?::\d)?$")
_NAMES_GOOGLE = re.compile(
    r"projects/[^/]+/locations/|publishers/[^/]+/models/|tunedmodels/|models/(?:gemini|gemma|imagen|veo)-"
)


def cloud_in(name: str) -> str | None:
    """The cloud that is the only one to write names in this form."""
    if _NAMES_AWS.match(name):
        return "aws"
    return "google" if _NAMES_GOOGLE.match(name) else None


def without_route(biller: str, name: str) -> str:
    """A name without where and how its model was called; nothing where that makes it dearer by what no list says."""
    match biller:
        case "aws":
            return _without_region(name)
        case "azure":
            return _AT_AZURE.sub("", name).replace("gpt-35-", "gpt-3.5-", 1)
        case "fireworks":
            return name if "/" in name else f"accounts/fireworks/models/{name}"
        case "google":
            return _AT_GOOGLE.sub("", name)
    return name


def owned(biller: str, name: str) -> Iterator[tuple[str, str]]:
    """(owner, its own name) of a model that a cloud sells at its owner's price."""
    if biller == "aws":
        yield from _owned_at_bedrock(name)
    elif biller in _OWNERS_AT and not is_fine_tune(name):
        vendor, _, model = name.rpartition("/")
        if (biller, model) not in _OTHERWISE:
            yield from ((owner, model) for owner in _OWNERS_AT[biller] if not vendor or biller_named(vendor) == owner)


def _without_region(name: str) -> str:
    parts = _AT_BEDROCK.fullmatch(name)
    if parts is None:
        return name
    region, model = parts["home"] or parts["route"] or "", parts["model"]
    if region.startswith("us-gov-"):
        return ""
    # Anthropic's lists say what a region costs; the other lists are those of the United States.
    is_listed = not region or region.startswith("us-") or "anthropic." in model or model.startswith(_REGIONAL)
    return model if is_listed else ""


def _owned_at_bedrock(name: str) -> Iterator[tuple[str, str]]:
    parts = _OWNED_AT_BEDROCK.fullmatch(name)
    owner = biller_named(parts["owner"]) if parts else None
    if parts is None or owner is None or owner not in _OWNERS_AT["aws"]:
        return
    at_owners_price = owner in _IN_ONE_REGION or parts["model"].startswith("claude-v2")
    if parts["region"] == "global." or (parts["region"] is None and at_owners_price):
        yield owner, _VERSION_AT_BEDROCK.sub("", parts["model"])
