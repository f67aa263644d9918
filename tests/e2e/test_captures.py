"""The webhooks that Helicone's own code produced, through a collector of its own."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.processes import collecting
from tests.helicone_captures import captures
from tests.waiting import eventually

COSTS = {
    "openai_chat_success_user_session_props_unicode": 202_500,
    "anthropic_stream_success": 562_200,
    "openai_error_429": 0,
    "bodies_missing_not_stored": None,
    "include_data_false": 202_500,
    "no_model_metadata_absent": None,
    "no_user_id": 202_500,
    "omit_request_and_response": 202_500,
    "openai_stream_with_usage": 52_500,
    "openai_stream_without_usage": None,
    "receiver_replied_500_no_retry": 202_500,
}
