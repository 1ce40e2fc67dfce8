"""The provider's error codes that mean something to a talk; every other one is a problem, and the talk goes on.

Law: a code stands in one of the two sets at most.
"""

from __future__ import annotations

ALREADY_ACTIVE = "conversation_already_has_active_response"
EMPTY_COMMIT = "input_audio_buffer_commit_empty"

# OpenAI: these tell of a race that was lost, not of a fault; the session goes on as if they had not come.
BENIGN = frozenset({ALREADY_ACTIVE, EMPTY_COMMIT, "response_cancel_not_active"})
# After these the provider serves no more.
FATAL = frozenset(
    {"session_expired", "invalid_api_key", "insufficient_quota", "beta_api_shape_disabled", "model_not_found"}
)
