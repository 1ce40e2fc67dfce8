"""The commands ``couchvoice memory …``: what is remembered of a person, parsed, asked for, printed.

Law: as in cli.py, whatever is heavy is imported inside a command; every list has a bound and says how to go on; what
somebody said is cleaned before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from couchvoice.apps.backend_question import BackendPlace, ask
from couchvoice.apps.command import fail
from couchvoice.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from couchvoice.client.memory import HttpMemory
    from couchvoice.contract import MemoryRecord

PAGE = 50
MAX_PAGE = 200  # the backend's

memory_app = typer.Typer(help="What is remembered of a person: read it, delete it, have it back.", no_args_is_help=True)


class Kind(StrEnum):
    facts = "facts"
    sessions = "sessions"
    rules = "rules"


class Shown(StrEnum):
    facts = "facts"
    sessions = "sessions"
    rules = "rules"
    deleted = "deleted"


class Switch(StrEnum):
    on = "on"
    off = "off"


_Backend = Annotated[
    str | None, typer.Option(help="URL of the backend. Default: what is kept in the state folder of this machine.")
]
_User = Annotated[str | None, typer.Option(help="Whose memory. Default: the token's user.")]
_Thread = Annotated[str | None, typer.Option(help="Whose memory, where there is no user: the thread's.")]
_Json = Annotated[bool, typer.Option("--json", help="The backend's answer as one JSON object.")]

_TOLD = {
    "memory_not_found": "there is no such memory of this user: couchvoice memory list shows which there are",
    "owner_missing": "whose memory? name the user with --user, or a thread without a user with --thread",
}

_Answer = TypeVar("_Answer", bound="BaseModel")


@memory_app.command()
def status(backend: _Backend = None, user: _User = None, thread: _Thread = None, json: _Json = False) -> None:
    """Tell how much is remembered, and whether it may be brought up."""
    found = _ask(backend, user, thread, lambda memory: memory.status())
    if json:
        return _print_json(found)
    typer.echo(f"facts: {found.facts}\nsessions: {found.sessions}\nrules: {found.rules}\nheld: {found.held}")
    typer.echo(f"recall: {'on' if found.recall_enabled else 'off'}")


@memory_app.command("list")
def list_memory(
    kind: Annotated[Shown, typer.Argument(help="What to list.")] = Shown.facts,
    backend: _Backend = None,
    user: _User = None,
    thread: _Thread = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="At most so many.")] = PAGE,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Begin after this number.")] = 0,
    json: _Json = False,
) -> None:
    """List what is remembered, with the numbers that "forget" takes, or what was deleted, with what "restore" takes."""
    if kind is Shown.deleted:
        page = _ask(backend, user, thread, lambda memory: memory.deleted(limit=limit))
    else:
        page = _ask(backend, user, thread, lambda memory: memory.listed(kind.value, limit=limit, after=after))
    if json:
        return _print_json(page)
    for record in page.entries:
        typer.echo(_line_of(record))
    if not page.entries:
        typer.echo(f"no {kind.value} memories" if kind is Shown.deleted else f"no {kind.value}")
    if page.next is not None:
        typer.echo(f"more: --after {page.next}")


@memory_app.command()
def recall(
    switch: Annotated[Switch, typer.Argument(help="Whether it may be brought up unasked.")],
    backend: _Backend = None,
    user: _User = None,
    thread: _Thread = None,
    json: _Json = False,
) -> None:
    """Allow, or forbid, that earlier talks are brought up, from the next session on."""
    answer = _ask(backend, user, thread, lambda memory: memory.recall(enabled=switch is Switch.on))
    if json:
        return _print_json(answer)
    typer.echo(f"recall: {'on' if answer.enabled else 'off'}")


@memory_app.command()
def forget(
    kind: Annotated[Kind, typer.Argument(help="Of what kind it is.")],
    number: Annotated[int, typer.Argument(min=1, help="Its number in the list.")],
    backend: _Backend = None,
    user: _User = None,
    thread: _Thread = None,
    json: _Json = False,
) -> None:
    """Delete one memory by its number. For thirty days it can be had back."""
    gone = _ask(backend, user, thread, lambda memory: memory.forget(kind.value, number))
    if json:
        return _print_json(gone)
    typer.echo(f"deleted: {_text_of(gone)}\nto have it back: couchvoice memory restore {gone.id}")


@memory_app.command()
def restore(
    id: Annotated[str, typer.Argument(help='As "list deleted" shows it, such as fact-12.')],
    backend: _Backend = None,
    user: _User = None,
    thread: _Thread = None,
    json: _Json = False,
) -> None:
    """Have back what was deleted."""
    back = _ask(backend, user, thread, lambda memory: memory.restore(id))
    if json:
        return _print_json(back)
    typer.echo(f"restored: {_line_of(back)}")


@memory_app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to. Default: stdout.")] = None,
    backend: _Backend = None,
    user: _User = None,
    thread: _Thread = None,
    json: _Json = False,
) -> None:
    """Write everything that is remembered as JSON; to a file that only you can read."""
    text = _ask(backend, user, thread, lambda memory: memory.export()).model_dump_json(indent=None if json else 2)
    if file is None:
        return typer.echo(text)
    from couchvoice.private_files import open_private_file

    try:
        with open(file, "w", encoding="utf-8", opener=open_private_file) as out:
            out.write(f"{text}\n")
    except OSError as exc:
        fail(ConfigError(f"cannot write {file}: {exc.strerror}: choose another file"))
    typer.echo(f"written: {file}")


def _ask(
    backend: str | None, user: str | None, thread: str | None, question: Callable[[HttpMemory], Awaitable[_Answer]]
) -> _Answer:
    async def of_memory(place: BackendPlace) -> _Answer:
        from couchvoice.client.memory import HttpMemory

        memory = HttpMemory(place.url, http=place.http, user_id=user, thread_id=thread, token=place.token)
        return await question(memory)

    return ask(backend, of_memory, told=_TOLD)


def _print_json(answer: BaseModel) -> None:
    typer.echo(answer.model_dump_json())


def _line_of(record: MemoryRecord) -> str:
    number = record.id if record.index is None else str(record.index)
    return f"{number}  {record.created_at.astimezone():%Y-%m-%d}  {_text_of(record)}"


def _text_of(record: MemoryRecord) -> str:
    from couchvoice.apps.screen import clean

    return clean(record.text)
