"""What a session has used: the tokens of its responses and the work of transcribing, as the provider counts them.

Not what it costs: prices are not part of the protocol. Field names are OpenAI's (``response.done`` and
``…input_audio_transcription.completed``, ``usage``).
Law: each response and each transcript counts once, however often it is told; what is no number counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from couchvoice.core import server_events as server

# Whole numbers are exact up to here in every reader of JSON, and no sum of such grows out of a float.
_MOST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A sum. ``responses`` counts those that told what they used; cached tokens are part of the input tokens."""

    responses: int = 0
    input_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    transcription_tokens: int = 0
    transcription_seconds: float = 0.0


class UsageMeter:
    def __init__(self) -> None:
        self.total = Usage()
        self._counted: set[str] = set()  # response and item ids

    def receive(self, event: server.ServerEvent) -> bool:
        """True: the total has grown. Never raises."""
        match event:
            case server.ResponseDone(response=response):
                return self._count(response.id, response.usage, _of_response)
            case server.InputTranscriptCompleted():
                return self._count(event.item_id, event.usage, _of_transcription)
            case _:
                return False

    def _count(self, name: str, told: object, read: Callable[[Mapping[str, object]], Usage]) -> bool:
        if not isinstance(told, Mapping) or name in self._counted:
            return False
        self._counted.add(name)
        self.total = _sum(self.total, read(told))
        return True


def _of_response(usage: Mapping[str, object]) -> Usage:
    taken, given = _part(usage, "input_token_details"), _part(usage, "output_token_details")
    return Usage(
        responses=1,
        input_tokens=_count_of(usage, "input_tokens"),
        input_text_tokens=_count_of(taken, "text_tokens"),
        input_audio_tokens=_count_of(taken, "audio_tokens"),
        cached_tokens=_count_of(taken, "cached_tokens"),
        output_tokens=_count_of(usage, "output_tokens"),
        output_text_tokens=_count_of(given, "text_tokens"),
        output_audio_tokens=_count_of(given, "audio_tokens"),
    )


def _of_transcription(usage: Mapping[str, object]) -> Usage:
    """By the second or by the token, as the transcription model is paid."""
    return Usage(transcription_tokens=_count_of(usage, "total_tokens"), transcription_seconds=_number(usage, "seconds"))


def _sum(one: Usage, other: Usage) -> Usage:
    more = asdict(other)
    return Usage(**{name: value + more[name] for name, value in asdict(one).items()})


def _part(usage: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _count_of(usage: Mapping[str, object], name: str) -> int:
    return int(_number(usage, name))


def _number(usage: Mapping[str, object], name: str) -> float:
    value = usage.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    # Some JSON has infinity, or a whole number that no float holds.
    return value if 0 <= value <= _MOST else 0.0
