"""The state of a session as a person would name it, and which state may follow which.

Law: ``LEGAL`` is the whole table; a transition that is not in it is a bug in the session.
"""

from __future__ import annotations

import enum


class SessionState(enum.Enum):
    IDLE = "idle"  # nothing asked for yet
    CONNECTING = "connecting"  # session, microphone, offer, SDP
    WARMING = "warming"  # the data channel is open, session.created has not come
    LISTENING = "listening"  # the floor is free
    USER_SPEAKING = "user_speaking"  # between speech_started and speech_stopped
    THINKING = "thinking"  # an answer is owed and not yet audible
    ASSISTANT_SPEAKING = "assistant_speaking"  # an answer is audible
    FINALIZING = "finalizing"  # no more talk: turns and /end are being settled
    ENDED = "ended"  # everything is released


_WARM = frozenset(
    {
        SessionState.LISTENING,
        SessionState.USER_SPEAKING,
        SessionState.THINKING,
        SessionState.ASSISTANT_SPEAKING,
    }
)
TALK = _WARM | {SessionState.WARMING}  # the data channel is open
OVER = frozenset({SessionState.FINALIZING, SessionState.ENDED})

LEGAL: dict[SessionState, frozenset[SessionState]] = {
    SessionState.IDLE: frozenset({SessionState.CONNECTING}) | OVER,
    SessionState.CONNECTING: frozenset({SessionState.WARMING}) | OVER,
    # A server may speak before it says session.created, or never say it.
    SessionState.WARMING: _WARM | OVER,
    **{state: (_WARM - {state}) | OVER for state in _WARM},
    SessionState.FINALIZING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}
