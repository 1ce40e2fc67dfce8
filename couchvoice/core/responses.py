"""The response gate: at most one response at a time.

The API rejects ``response.create`` while a response is active, so requests that come
meanwhile are merged into one and sent when ``response.done`` arrives.
"""

from __future__ import annotations

import enum


class ResponseState(enum.Enum):
    IDLE = "idle"  # none asked for, none running
    REQUESTED = "requested"  # response.create sent, response.created not yet seen
    ACTIVE = "active"  # between response.created and response.done


class ResponseGate:
    def __init__(self) -> None:
        self.state = ResponseState.IDLE
        self._wanted = False
        self._active: set[str] = set()

    @property
    def owes(self) -> bool:
        """A response is running, requested, or waiting for its turn."""
        return self._wanted or self.state is not ResponseState.IDLE

    def request(self) -> bool:
        """Ask for a response. True: send ``response.create`` now."""
        self._wanted = True
        return self._grant()

    def running(self) -> frozenset[str]:
        """The responses that are active now: only while there is one is ``response.cancel`` legal."""
        return frozenset(self._active)

    def created(self, response_id: str) -> None:
        # One at a time: whoever begins a response has ended those before, even if we were not told.
        self._active = {response_id}
        self.state = ResponseState.ACTIVE

    def refused(self) -> None:
        """Server VAD was quicker and its response is active: ask again after it."""
        self.state, self._wanted = ResponseState.ACTIVE, True

    def retry(self) -> bool:
        """Nobody announced the response that refused us. True: send ``response.create`` once more."""
        return not self._active and self._release()

    def failed(self) -> bool:
        """Our request was rejected for good. True: send ``response.create`` now, for one that waited behind it."""
        return self.state is ResponseState.REQUESTED and self._release()

    def done(self, response_id: str) -> bool:
        """The response ended. True: send ``response.create`` now."""
        self._active.discard(response_id)
        return not self._active and self._release()

    def _release(self) -> bool:
        self.state = ResponseState.IDLE
        return self._grant()

    def _grant(self) -> bool:
        if self.state is not ResponseState.IDLE or not self._wanted:
            return False
        self.state, self._wanted = ResponseState.REQUESTED, False
        return True
