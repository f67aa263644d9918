from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from spendtop.domain.requests.response_ids import provider_response_id

HIDDEN = "litellm:custom_llm_provider:openai;model_id:2b9f~?>;response_id:resp_68a1"
ENCODED = b64encode(HIDDEN.encode()).decode()


@pytest.mark.parametrize(
    "response_id",
    [
        f"resp_{ENCODED}",
        ENCODED,
        f"resp_{ENCODED.rstrip('=')}",
        f"resp_{urlsafe_b64encode(HIDDEN.encode()).decode()}",
        "resp_" + b64encode(b"litellm:custom_llm_provider:None;model_id:None;response_id:resp_68a1").decode(),
        "resp_68a1",
    ],
)
def test_the_providers_id_is_read_out_of_litellms(response_id: str) -> None:
    assert provider_response_id(response_id) == "resp_68a1"


@pytest.mark.parametrize(
    "response_id",
    [
        "chatcmpl-1",
        "resp_",
        "",
        "resp_gAAAAABmencrypted==",
        "resp_bGl0ZWxsbTp",
        "resp_" + b64encode(b"litellm:model_id:x;item_id:y").decode(),
        "resp_" + b64encode(b"litellm:custom_llm_provider:x;model_id:y;response_id:").decode(),
        "resp_bGl0ZWxsbT\u00e4\u00e4",
        "resp_bGl0ZWxsbT////",
    ],
)
def test_other_ids_stay_as_they_are(response_id: str) -> None:
    assert provider_response_id(response_id) == response_id


def test_no_id_is_none() -> None:
    assert provider_response_id(None) is None
