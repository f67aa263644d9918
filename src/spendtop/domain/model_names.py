"""What a model's name says besides which model it is: the release, the seller's route, whose copy it is."""

from __future__ import annotations

import re
from functools import lru_cache

REGIONS = "us-gov|us|eu|apac|au|ca|global|in|jp|me|sa"
"""In front of a model at Bedrock: where its requests may go."""
OWNERS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    "|stability|twelvelabs|writer|xai|zai"
)
"""In front of a model at Bedrock: whose it is."""

_AT_BEDROCK = re.compile(rf"(?:(?:{REGIONS})\.)?(?:{OWNERS})\.(?=[a-z])")
_RELEASE = re.compile(r"(?:-20\d\d-\d\d-\d\d|-20\d{6}|@[^/]*|-latest|-v1:0|(?<=-20\d{6})-v\d+:\d+)$")
RULES = f"{_AT_BEDROCK.pattern} {_RELEASE.pattern}"
"""What `family` goes by: sums by family that were kept by other rules are of no use."""
_LOCAL = re.compile(r"[^:]:[^:]|^[./~]|^hf\.co/|\.gguf|\\|://")


@lru_cache(maxsize=4096)
def family(name: str) -> str:
    """The model without who sells it and which release it is, in lower case.

    `openai/gpt-4o-2024-08-06` and `gpt-4o` are one family, so are `eu.anthropic.claude-sonnet-4-5-20250929-v1:0` and
    `claude-sonnet-4-5@20250929`.
    """
    lowered = name.strip().lower()
    model = _AT_BEDROCK.sub("", lowered.rpartition("/")[2], count=1)
    while (shorter := _RELEASE.sub("", model)) and shorter != model:
        model = shorter
    return model or lowered


def is_fine_tune(name: str) -> bool:
    """Whether a lower-case name is that of a customer's own model: `ft:gpt-4o:acme::id`, at Azure `gpt-4o.ft-id`."""
    return name.startswith("ft:") or "/ft:" in name or ".ft-" in name


def is_local(name: str) -> bool:
    """Whether a name is that of a copy that somebody runs: `llama3:8b`, `/models/llama`, `llama.gguf`."""
    return not is_fine_tune(name) and _LOCAL.search(name) is not None
