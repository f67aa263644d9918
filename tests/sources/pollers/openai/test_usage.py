"""What was used at OpenAI, beside its bills."""

from __future__ import annotations

from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, by_unit, used_words
from spendtop.sources.pollers.openai.bills import OpenAIBills
from tests.provider_pages import FakeApi, page
from tests.sources.pollers.polled import ONCE

OPENAI_DAY = 1795651200 // 86400


OPENAI_COSTS = "/v1/organization/costs"


KINDS = (
    *("completions", "decisions", "embeddings", "moderations", "audio_speeches", "audio_transcriptions", "images"),
    *("vector_stores", "code_interpreter_sessions", "file_search_calls", "web_search_calls"),
)


async def test_openais_usage_is_read_of_everything_that_it_counts() -> None:
    pages = {f"/v1/organization/usage/{kind}": page(f"openai/usage_{kind}") for kind in KINDS}
    del pages["/v1/organization/usage/decisions"]  # an organization without it answers 404
    with FakeApi({OPENAI_COSTS: page("openai/costs_by_line_item"), **pages}) as fake:
        costs = await OpenAIBills("sk-admin-canary", fake.url, bounds=ONCE).costs(OPENAI_DAY - 40, OPENAI_DAY)
        asked = {each.path.rpartition("/")[2]: each for each in fake.asked if "/usage/" in each.path}
    assert costs.used is not None
    assert by_unit(costs.used.parts) == {
        INPUT_TOKENS: 1_000 + 8_000 + 16,
        OUTPUT_TOKENS: 500,
        REQUESTS: 5 + 3 + 2 + 1 + 1 + 2,
        "characters spoken": 45,
        "seconds of audio": 20,
        "images": 2,
        "bytes in vector stores": 1024,
        "sessions of the code interpreter": 1,
        "file searches": 4,
        "web searches": 20,
    }
    assert used_words(by_unit(costs.used.parts)).startswith(
        "1,024 bytes in vector stores, 45 characters spoken, 4 file"
    )
    completions = next(part for part in costs.used.parts if part.unit == INPUT_TOKENS)
    assert completions[3:] == ("proj_checkout", "key_ABC123", "", "gpt-6-astra")
    assert asked["images"].query["group_by"] == ["project_id", "user_id", "api_key_id", "model"]
    assert asked["vector_stores"].query["group_by"] == ["project_id"]
    assert costs.used.first_day == OPENAI_DAY - 30
