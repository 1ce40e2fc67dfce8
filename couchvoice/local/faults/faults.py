"""How a call is to go wrong on purpose, to test clients: read from a query, a header or a line of a script.

    delay_ms=200,jitter_ms=50,drop=response.done|rate_limits.*,no_deltas,seed=7

Not what then happens: to events in event_faults.py, to the rest where requests, sessions and calls are served.
Law: a fault that does not exist is refused with a list of those that do; what is not said is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from couchvoice.local.protocol.bad_event import BadEvent

PARAM = "faults"  # of a query; what an error about them names
HEADER = "X-Couchvoice-Faults"
RETRY_AFTER = 1  # seconds; the header Retry-After of a 429
# By the status of the answer: the code of the error, and what it says.
REFUSALS: Mapping[int, tuple[str, str]] = {
    401: ("invalid_api_key", "Incorrect API key provided."),
    403: ("permission_denied", "The key may not use this."),
    404: ("model_not_found", "The model does not exist, or the key may not use it."),
    429: ("rate_limit_exceeded", "Rate limit reached: try again later."),
    500: ("server_error", "The server had an error while it processed the request."),
    503: ("service_unavailable", "The server is overloaded or not ready yet."),
}

_LONGEST_MS = 3_600_000  # an hour, which no session outlives
_LONGEST_S = 3600.0
_SHOWN = 40  # characters of a client's own text in an error

_Status = Literal[401, 403, 404, 429, 500, 503]
_Transcription = Literal["failed", "empty", "none"]
_Milliseconds = Annotated[int, Meta(ge=0, le=_LONGEST_MS)]
_Seconds = Annotated[float, Meta(gt=0, le=_LONGEST_S)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Globs = tuple[str, ...]  # event types by their GA names, with * and ?


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """None: not said. Shares are drawn by ``seed``: the same seed, the same luck."""

    # The HTTP request, or the WebSocket before it is accepted
    status: _Status | None = None  # it is refused with this status
    answer_delay_ms: _Milliseconds | None = None  # its answer comes so late
    # Server events
    delay_ms: _Milliseconds | None = None  # each comes so late, in order
    jitter_ms: _Milliseconds | None = None  # and by up to so much later still, in order
    drop: _Globs | None = None  # these never come
    drop_rate: _Share | None = None  # this share of them only; without drop: of all
    duplicate: _Globs | None = None  # these come twice
    duplicate_rate: _Share | None = None  # this share of them only; without duplicate: of all
    reorder_rate: _Share | None = None  # so often an event changes places with the next one
    malformed_rate: _Share | None = None  # so often a text comes before an event that is none
    no_deltas: bool | None = None  # no *.delta but those of audio
    transcription: _Transcription | None = None  # what is told of the user's words
    transcription_delay_ms: _Milliseconds | None = None  # and so much later, whatever comes meanwhile
    # The session and its sound
    text_only: bool | None = None  # replies come as text though audio was asked for
    silent: bool | None = None  # the sound of replies is silence
    cut_after_ms: _Milliseconds | None = None  # the connection is gone so long after it opened, without a goodbye
    session_limit_s: _Seconds | None = None  # the session expires so soon
    strict_lite: bool | None = None  # consent as in strict_lite.py
    seed: int | None = None  # 1 unless told otherwise

    def over(self, wider: Faults) -> Faults:
        """These, and those of ``wider`` on which these are silent."""
        return msgspec.structs.replace(wider, **_said(self))


NONE = Faults()


class BadFault(Exception):
    """The sentence says what is wrong with a fault, and what exists."""


_GLOBS = ("drop", "duplicate")
_SWITCHES = ("no_deltas", "text_only", "silent", "strict_lite")
_CHOICES: Mapping[str, tuple[object, ...]] = {"status": get_args(_Status), "transcription": get_args(_Transcription)}


def parse_faults(text: str) -> Faults:
    """The form of one line; blank: nothing goes wrong. Raises BadEvent."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    try:
        return faults_from(
            (name.strip(), value.strip() if equals else _unsaid(name.strip())) for name, equals, value in pairs
        )
    except BadFault as bad:
        raise BadEvent("invalid_value", str(bad), PARAM) from bad


def faults_from(pairs: Iterable[tuple[str, str]]) -> Faults:
    """Names and values as they are written. Raises BadFault."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in values:
            raise BadFault(f"The fault {name} is there twice.")
        values[name] = _value(name, text)
    return Faults(**values)


def _unsaid(name: str) -> str:
    """The value of a name that stands alone. Raises BadFault."""
    if name in Faults.__struct_fields__ and name not in _SWITCHES:
        raise BadFault(f"The fault {name} needs a value.")
    return "true"


def _value(name: str, text: str) -> object:
    if name not in Faults.__struct_fields__:
        raise BadFault(f"There are the faults {', '.join(Faults.__struct_fields__)}, and no {name[:_SHOWN]!r}.")
    value = [glob.strip() for glob in text.split("|") if glob.strip()] if name in _GLOBS else text
    try:
        return getattr(msgspec.convert({name: value}, Faults, strict=False), name)
    except msgspec.ValidationError as exc:
        raise BadFault(f"{name} is {text[:_SHOWN]!r}: {_complaint(name, exc)}.") from exc


def _complaint(name: str, exc: msgspec.ValidationError) -> str:
    if name in _CHOICES:
        return f"expected one of {', '.join(map(str, _CHOICES[name]))}"
    return str(exc).partition(" - at ")[0].replace(" | null", "")


def _said(faults: Faults) -> dict[str, Any]:
    return {name: value for name in faults.__struct_fields__ if (value := getattr(faults, name)) is not None}
