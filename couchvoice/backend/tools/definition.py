"""A tool: what the model may call, made of a function by ``@tool``.

    @tool(side_effect="calendar", deadline=5.0)
    async def add_reminder(text: str, minutes: Annotated[int, Field(ge=1, le=1440)] = 10) -> dict[str, Any]:
        \"\"\"Remind the user of something. Call it only when they ask to be reminded.

        Args:
            text: what to remind them of, in their own words
            minutes: how long from now
        \"\"\"

Not the calling of it: that is ``runner``'s. Law: a mistake in the definition is found when the file is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, overload

from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.exercises.book import ExerciseBook, MemoryExerciseBook, Place
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.store import Store
from couchvoice.backend.tools.arguments import Arguments
from couchvoice.contract import Feedback, MemoryMode

DEADLINE = 12.0  # seconds, below the client's 15
BACKGROUND_DEADLINE = 120.0  # seconds
MAX_BACKGROUND_DEADLINE = 600.0  # seconds; the client asks no longer for the result
OUTPUT_LIMIT = 32 * 1024  # bytes of JSON; the model has to read it all

BOTH_MODES: frozenset[MemoryMode] = frozenset({"incognito", "persistent"})

# OpenAI: "The name of the function" is made of these, at most 64 of them.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

P = ParamSpec("P")
R = TypeVar("R")


async def _to_nobody(feedback: Feedback) -> None:
    """Outside of a backend."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToolContext:
    """What a tool may know besides its arguments: for a parameter of this type it is passed, and the model sees none.

    ``said``: the user's words, newest first; the very first are those of this turn, or "" while they are not known.
    ``said_item``: the item of the newest that are known, if the client names it. ``store``: None in incognito, where
    nothing may be kept. ``exercises``: in memory then. ``give_feedback``: for this session.
    """

    thread_id: str
    owner: str
    said: Sequence[str]
    store: Store | None
    said_item: str | None = None
    crisis: CrisisDesk = field(default_factory=CrisisDesk)
    grounded: GroundedLookup = field(default_factory=GroundedLookup)
    exercises: ExerciseBook = field(default_factory=MemoryExerciseBook)
    give_feedback: Callable[[Feedback], Awaitable[None]] = _to_nobody

    @property
    def place(self) -> Place:
        return Place(self.owner, self.thread_id)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tool(Generic[P, R]):
    """Called, it is its function still. ``parameters`` is the JSON schema of its arguments; times are in seconds."""

    name: str
    description: str
    arguments: Arguments
    modes: frozenset[MemoryMode]
    side_effect: str
    retry_safe: bool
    deadline: float
    output_limit: int
    private: frozenset[str]
    background: bool
    function: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    @property
    def schema(self) -> dict[str, Any]:
        """As the session config lists it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.arguments.schema,
        }

    def keywords(self, arguments: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        """What the function is called with. Raises ArgumentsRefused."""
        keywords = self.arguments.check(arguments)
        return keywords if self.arguments.given_as is None else {**keywords, self.arguments.given_as: context}


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(
    *,
    modes: Collection[MemoryMode] = ...,
    side_effect: str = ...,
    retry_safe: bool | None = ...,
    deadline: float | None = ...,
    output_limit: int = ...,
    private: Collection[str] = ...,
    background: bool = ...,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    modes: Collection[MemoryMode] = BOTH_MODES,
    side_effect: str = "none",
    retry_safe: bool | None = None,
    deadline: float | None = None,
    output_limit: int = OUTPUT_LIMIT,
    private: Collection[str] = (),
    background: bool = False,
) -> Any:
    """Make a tool of a function: ``@tool``, or ``@tool(…)`` with what differs from the defaults.

    The function's name is the tool's. Its docstring is what the model reads, up to "Args:", which describes the
    parameters; their type hints, with pydantic's ``Field`` for bounds, are the JSON schema. Arguments that break it
    never reach the function. An ``async def`` runs on the event loop, a plain ``def`` in a thread of its own.
    What it returns becomes a JSON object: a mapping, a dataclass or a model as it is, a text as ``response_text``
    (what the assistant is to say), any other value as ``result``.

    ``modes``: the memory modes in which the model is offered it. ``side_effect``: what it changes ("none", "memory",
    or a word of yours); ``retry_safe``: it may run twice, by default when it changes nothing; both stand in every
    result. ``deadline``: seconds, by default 12, or 120 in the background. ``output_limit``: bytes of JSON.
    ``private``: fields of the result, at any depth, that the model needs and the user is not shown. ``background``: it
    takes long; the model is told ``{"status": "generating"}`` at once and gets the result when it is there, and a newer
    call of the same tool in the same thread cancels the older one. The client has to ask for the result
    (contract.ToolReply); couchvoice's own does not yet.

    Raises TypeError or ValueError for a function of which no tool can be made.
    """

    def make(function: Callable[..., Any]) -> Tool[..., Any]:
        return _checked(
            Tool(
                name=function.__name__,
                description=(arguments := Arguments(function, given=ToolContext)).description,
                arguments=arguments,
                modes=frozenset(modes),
                side_effect=side_effect,
                retry_safe=side_effect == "none" if retry_safe is None else retry_safe,
                deadline=deadline or (BACKGROUND_DEADLINE if background else DEADLINE),
                output_limit=output_limit,
                private=frozenset(private),
                background=background,
                function=function,
            )
        )

    return make if function is None else make(function)


def _checked(made: Tool[..., Any]) -> Tool[..., Any]:
    longest = MAX_BACKGROUND_DEADLINE if made.background else DEADLINE
    problems = {
        f"its name must match {_NAME.pattern}": not _NAME.fullmatch(made.name),
        "it has no docstring to tell the model what it is for": not made.description,
        "its modes must be incognito, persistent, or both": not made.modes or not made.modes <= BOTH_MODES,
        f"its deadline must be above 0 and at most {longest:.0f} seconds": not 0 < made.deadline <= longest,
        f"its output_limit must be 1 to {OUTPUT_LIMIT} bytes": not 0 < made.output_limit <= OUTPUT_LIMIT,
    }
    for problem, is_so in problems.items():
        if is_so:
            raise ValueError(f"the tool {made.name}: {problem}")
    return made
