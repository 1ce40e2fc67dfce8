"""The commands ``couchvoice threads …`` and ``couchvoice end``: parse, ask the backend, print.

Law: as in cli.py, whatever is heavy is imported inside a command; every list has a bound and says how to go on; text
that was spoken is cleaned before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from couchvoice.apps.backend_question import BackendPlace, ask
from couchvoice.apps.command import Feedback, fail
from couchvoice.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import BaseModel

    from couchvoice.client.threads import HttpThreads
    from couchvoice.contract import KeptTurnReply, ThreadReply

PAGE = 50
MAX_PAGE = 200  # the backend's

threads_app = typer.Typer(help="What the backend keeps: read it, finalize it, delete it.", no_args_is_help=True)

_Thread = Annotated[str, typer.Argument(help="The thread's id.")]
_Backend = Annotated[
    str | None, typer.Option(help="URL of the backend. Default: what is kept in the state folder of this machine.")
]
_User = Annotated[str | None, typer.Option(help="Whose threads. Default: those without a user, or the token's.")]
_Json = Annotated[bool, typer.Option("--json", help="The backend's answer as one JSON object.")]
_Limit = Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="At most so many.")]

_END_FAILED = "thread_end_failed"  # of the backend, as these:
_TOLD = {
    "thread_not_found": "there is no such thread of this user: couchvoice threads list shows which there are",
    "owner_missing": "whose threads? name the user with --user",
}

_Answer = TypeVar("_Answer", bound="BaseModel")


@threads_app.command("list")
def list_threads(
    backend: _Backend = None,
    user: _User = None,
    limit: _Limit = PAGE,
    before: Annotated[str | None, typer.Option(metavar="PLACE", help="Go on with an earlier list.")] = None,
    json: _Json = False,
) -> None:
    """List the threads, newest first."""
    page = _ask(backend, user, lambda threads: threads.listed(limit=limit, before=before))
    if json:
        return _print_json(page)
    for thread in page.threads:
        typer.echo(_line_of(thread))
    if not page.threads:
        typer.echo("no threads")
    if page.next is not None:
        typer.echo(f"more: --before {page.next}")


@threads_app.command()
def history(
    thread: _Thread,
    backend: _Backend = None,
    user: _User = None,
    limit: _Limit = PAGE,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Begin after this turn.")] = 0,
    json: _Json = False,
) -> None:
    """Show the turns of a thread, oldest first."""
    page = _ask(backend, user, lambda threads: threads.history(thread, limit=limit, after=after))
    if json:
        return _print_json(page)
    for turn in page.turns:
        typer.echo("\n".join(_lines_of(turn)))
    if page.next is not None:
        typer.echo(f"more: --after {page.next}")


@threads_app.command()
def status(thread: _Thread, backend: _Backend = None, user: _User = None, json: _Json = False) -> None:
    """Tell how far a thread is, and whether it is finalized."""
    found = _ask(backend, user, lambda threads: threads.status(thread))
    if json:
        return _print_json(found)
    typer.echo(_line_of(found))
    if found.finalization == "failed":
        typer.echo(f"it could not be finalized ({found.failure}): couchvoice end {thread} tries again")


@threads_app.command()
def delete(thread: _Thread, backend: _Backend = None, user: _User = None, json: _Json = False) -> None:
    """Delete a thread with everything that belongs to it."""
    gone = _ask(backend, user, lambda threads: threads.delete(thread))
    if json:
        return _print_json(gone)
    typer.echo(f"deleted, with {_number(gone.turns, 'turn')}")


@threads_app.command()
def erase(
    backend: _Backend = None,
    user: _User = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really: there is no way back.")] = False,
    json: _Json = False,
) -> None:
    """Delete all threads of a user."""
    if not yes:
        fail(ConfigError("this deletes everything that is kept of the user, for good: add --yes"))
    gone = _ask(backend, user, lambda threads: threads.erase())
    if json:
        return _print_json(gone)
    typer.echo(f"erased: {_number(gone.threads, 'thread')}, {_number(gone.turns, 'turn')}")


def end(
    thread: _Thread,
    backend: _Backend = None,
    user: _User = None,
    feedback: Annotated[Feedback | None, typer.Option(help="How the talk was.")] = None,
    json: _Json = False,
) -> None:
    """Finalize a thread that its talk left open, or whose finalization failed."""
    reply = _ask(backend, user, lambda threads: threads.end(thread, feedback=feedback.value if feedback else None))
    if json:
        return _print_json(reply)
    from couchvoice.apps.screen import clean

    typer.echo(clean(reply.summary or reply.detail or ""))


def _ask(backend: str | None, user: str | None, question: Callable[[HttpThreads], Awaitable[_Answer]]) -> _Answer:
    async def of_threads(place: BackendPlace) -> _Answer:
        from couchvoice.apps import exit_status
        from couchvoice.client.threads import HttpThreads

        try:
            return await question(HttpThreads(place.url, http=place.http, user_id=user, token=place.token))
        except BackendError as exc:
            if exc.code != _END_FAILED:
                raise
            typer.echo(f"error: {exc.detail}; couchvoice threads status tells more", err=True)
            raise typer.Exit(exit_status.BROKE) from exc

    return ask(backend, of_threads, told=_TOLD)


def _print_json(answer: BaseModel) -> None:
    typer.echo(answer.model_dump_json())


def _line_of(thread: ThreadReply) -> str:
    from couchvoice.apps.screen import clean

    state: str = thread.finalization
    if thread.open_turns and state != "in_progress":
        state = f"{state}, {_number(thread.open_turns, 'turn')} open"
    return f"{clean(thread.thread_id)}  {_number(thread.turn_count, 'turn')}  {_time(thread.active_at)}  {state}"


def _lines_of(turn: KeptTurnReply) -> Iterator[str]:
    from couchvoice.apps.screen import clean

    yield f"{turn.number}  {_time(turn.created_at)}  {clean(turn.outcome)}  {clean(turn.route)}"
    for message in turn.messages:
        yield f"   {'you' if message.role == 'user' else 'assistant'}: {clean(message.content)}"
    if not turn.transcript_kept:
        yield "   (kept without its transcript)"
    for call in turn.tool_calls:
        yield f"   tool: {clean(str(call.get('tool_name')))} {clean(str(call.get('status')))}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
