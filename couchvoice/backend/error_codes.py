"""The codes of the backend's errors, and what they mean: the OpenAPI document says so to callers.

Law: a code is never given another meaning, and none is answered that does not stand here (a test looks for them in the
source).
"""

from __future__ import annotations

from collections.abc import Mapping

ERROR_CODES: Mapping[str, str] = {
    "body_encoded": "the body is compressed: send it as it is",
    "body_timeout": "the body did not come in time",
    "body_too_large": "the body is larger than its path takes",
    "cors_not_allowed": "the preflight of a page that may not call",
    "credentials_not_found": "the backend has no key for the provider",
    "database_newer": "the database was written by a newer version of the backend",
    "database_unavailable": "the database does not answer: try again later",
    "delete_failed": "the thread could not be deleted: the backend's log says why",
    "disconnect_failed": "the session could not be disconnected: the backend's log says why",
    "empty_answer": "the provider answered with nothing",
    "empty_turn": "a turn needs the text of at least one side",
    "endpoint_not_allowed": "no such endpoint is configured; nothing was sent anywhere",
    "erase_failed": "the threads could not be erased: the backend's log says why",
    "finalization_in_progress": "somebody is finalizing this thread now: ask again",
    "history_failed": "the history could not be read: the backend's log says why",
    "internal_error": "the backend failed: its log says where",
    "invalid_arguments": "the arguments do not fit the schema of the tool",
    "invalid_request": "the body, a header or a parameter is not what it must be; the message names it",
    "keys_unavailable": "the keys that verify tokens cannot be had now",
    "method_not_allowed": "the path has no such method",
    "not_found": "there is no such path",
    "nothing_to_change": "a change of the session that names nothing",
    "origin_not_allowed": "pages of this origin may not call",
    "owner_missing": "without authentication the request must say whose threads it means",
    "rate_limited": "too much within a minute: Retry-After says when to come back",
    "realtime_unavailable": "the provider is switched off, not configured or not to be reached",
    "session_disconnected": "an operator has ended this session",
    "session_not_found": "there is no such live session",
    "session_token_missing": "with authentication, calls of a session need its token",
    "status_failed": "the status could not be read: the backend's log says why",
    "thread_end_failed": "the thread could not be finalized: the backend's log says why",
    "thread_not_found": "there is no such thread, or it is another's",
    "threads_failed": "the threads could not be listed: the backend's log says why",
    "token_expired": "the bearer token has expired: get a new one",
    "token_invalid": "the bearer token is not good here",
    "token_missing": "the request needs a bearer token",
    "tool_not_allowed": "the tool is not for this session's memory mode",
    "turn_conflict": "this client_turn_id was recorded with another body",
    "unknown_host": "the server is not called by this name",
    "unknown_mode": "there is no such mode",
    "unknown_tool": "there is no such tool",
    "unsupported_voice": "there is no such voice",
    "upstream_auth_failed": "the provider refused the backend's key",
    "upstream_error": "the provider answered with an error",
    "upstream_unreachable": "the provider cannot be reached",
    "user_mismatch": "user_id is not the user of the token",
    "voice_realtime_config_failed": "the session could not be changed: the backend's log says why",
    "voice_realtime_end_failed": "the session could not be finalized: the backend's log says why",
    "voice_realtime_session_failed": "the session could not be created: the backend's log says why",
    "voice_realtime_tool_failed": "the tool failed: the backend's log says why",
    "voice_realtime_turn_record_failed": "the turn could not be recorded: the backend's log says why",
    "wrong_session_token": "the session token is not one of this thread's",
}
