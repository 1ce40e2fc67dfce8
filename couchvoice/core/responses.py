"""The response gate: at most one response at a time.

The API rejects ``response.create`` while a response is active, so requests that come
meanwhile are merged into one and sent when ``response.done`` arrives. What the model is to say
after its tools is asked for first and by itself: it belongs to the turn of those calls.
Law: a second ``response.create`` goes out only after the first was answered, refused, or given up.
"""

from __future__ import annotations

import enum

from couchvoice.core.client_events import ResponseCreate
from couchvoice.core.effects import Effect, SendEvent
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem

REQUEST_TIMEOUT = 15.0  # seconds; a server may drop our response.create without a word
RETRY_DELAY = 1.0  # seconds; after a refusal by a response that nobody announced
SERVER_TIMEOUT = 3.0  # seconds after speech; later the server will not begin the answer by itself


class ResponseState(enum.Enum):
    IDLE = "idle"  # none asked for, none running
    REQUESTED = "requested"  # response.create sent, response.created not yet seen
    REFUSED = "refused"  # a response that nobody announced is in the way
    LEFT = "left"  # the server is about to begin a response by itself, and it gives what is wanted as well
    ACTIVE = "active"  # between response.created and response.done


class ResponseGate:
    def __init__(self, ids: Ids) -> None:
        self.state = ResponseState.IDLE
        self._ids = ids
        self._wanted = False
        self._calling: list[str] = []  # responses whose calls have their outputs: the model is to speak on
        self._continued: str | None = None  # the one of them that our response.create was sent for
        self._held = False  # the user has the floor: nothing is asked for
        self._running: frozenset[str] = frozenset()
        self._asked: str | None = None  # event_id of the response.create that an error may still answer
        self._due: float | None = None  # when REQUESTED or REFUSED ends by itself

    @property
    def expects(self) -> bool:
        """A response that we want has not begun."""
        return self._waits or self.state in (ResponseState.REQUESTED, ResponseState.LEFT)

    @property
    def owes(self) -> bool:
        """A response is running, requested, or waiting for its turn."""
        return self._waits or self.state is not ResponseState.IDLE

    @property
    def continues(self) -> frozenset[str]:
        """The responses after whose calls the model has yet to speak on."""
        asked = [self._continued] if self._continued and self.state is ResponseState.REQUESTED else []
        return frozenset([*self._calling, *asked])

    def running(self) -> frozenset[str]:
        """The response that is active now, if any: only then is ``response.cancel`` legal."""
        return self._running

    def request(self, now: float) -> list[Effect]:
        """A response is wanted."""
        self._wanted = True
        return self._grant(now)

    def continue_after(self, response_id: str, now: float) -> list[Effect]:
        """The model is to speak on: the calls of this response have their outputs."""
        self._calling.append(response_id)
        return self._grant(now)

    def join(self) -> None:
        """The user has spoken since: what was to follow the calls is said with the answer to that."""
        self._wanted = self._wanted or bool(self._calling)
        self._calling, self._continued = [], None

    def hold(self) -> None:
        """The user has the floor: what is wanted waits for ``let_go`` or ``leave``."""
        self._held = True
        self._take_back()

    def let_go(self, now: float) -> list[Effect]:
        self._held = False
        self._take_back()
        return self._grant(now)

    def leave(self, now: float) -> None:
        """The user has spoken, and the server answers by itself: that answer gives what waits as well."""
        self._held = False
        self._take_back()
        if self.state is ResponseState.IDLE and self._waits:
            self.join()
            self._wanted = False
            self.state, self._due = ResponseState.LEFT, now + SERVER_TIMEOUT

    def created(self, response_id: str) -> str | None:
        """A response has begun. Returns the one after whose calls it goes on, if that was asked for."""
        continued = self._continued if self.state is ResponseState.REQUESTED else None
        # One at a time: whoever begins a response has ended those before, even if we were not told.
        self._running = frozenset({response_id})
        self.state, self._due = ResponseState.ACTIVE, None
        return continued

    def done(self, response_id: str, now: float) -> list[Effect]:
        """The response ended."""
        return self._release(now) if response_id in self._running else []

    def refused(self, event_id: str | None, now: float) -> None:
        """Server VAD was quicker and its response is active: ask again after it. ``event_id``: of what was refused."""
        if self._asked is None or event_id not in (self._asked, None):
            return
        self._asked = None
        self._want_again()
        if self.state is ResponseState.REQUESTED:
            self.state, self._due = ResponseState.REFUSED, now + RETRY_DELAY

    def asked(self, event_id: str | None) -> bool:
        """Whether this names our request: the error that does so rejects it for good."""
        return event_id is not None and event_id == self._asked

    def failed(self, now: float) -> list[Effect]:
        """Our request was rejected for good. One that waited behind it has its turn now."""
        self._asked = None
        return self._release(now) if self.state is ResponseState.REQUESTED else []

    def next_timeout(self) -> float | None:
        return self._due

    def expire(self, now: float) -> list[Effect]:
        if self._due is None or now < self._due:
            return []
        if self.state is not ResponseState.REQUESTED:
            self._take_back()
            return self._release(now)
        return [Problem("response_timeout", "the provider did not answer response.create"), *self.failed(now)]

    def close(self) -> None:
        """The talk is over: nothing is asked for any more."""
        self._wanted, self._calling, self._due = False, [], None

    @property
    def _waits(self) -> bool:
        return self._wanted or bool(self._calling)

    def _want_again(self) -> None:
        if self._continued:
            self._calling.insert(0, self._continued)
        else:
            self._wanted = True
        self._continued = None

    def _take_back(self) -> None:
        """The server does not begin by itself, after all, or not yet."""
        if self.state is ResponseState.LEFT:
            self.state, self._wanted, self._due = ResponseState.IDLE, True, None

    def _release(self, now: float) -> list[Effect]:
        self.state, self._running, self._asked, self._due = ResponseState.IDLE, frozenset(), None, None
        self._continued = None
        return self._grant(now)

    def _grant(self, now: float) -> list[Effect]:
        if self.state is not ResponseState.IDLE or not self._waits or self._held:
            return []
        self.state = ResponseState.REQUESTED
        if self._calling:
            self._continued = self._calling.pop(0)
        else:
            self._wanted = False
        self._asked, self._due = self._ids.event(), now + REQUEST_TIMEOUT
        return [SendEvent(ResponseCreate(self._asked))]
