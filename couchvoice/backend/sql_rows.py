"""What the parts of the store in a database share: a thread that is locked, and rows as what they stand for.

Law: every change of a thread happens in a transaction that has first locked it (PostgreSQL: the thread's row; SQLite:
the database), so that its turns are numbered one after the other, whoever writes at once.
"""

from __future__ import annotations

from dataclasses import fields
from http import HTTPStatus
from typing import Any

from sqlalchemy import Column, RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Arc, Finalization, KeptTurn, Thread, Turn
from couchvoice.backend.tables import arcs, threads, turns

# A turn's fields are columns of its own, or of its thread.
TURN_COLUMNS = [turns.c[field.name] for field in fields(Turn) if field.name in turns.c]
ARC_COLUMNS = [arcs.c[field.name] for field in fields(Arc)]
_OF_THREAD: list[Column[Any]] = [threads.c.owner, threads.c.guest]


async def lock_thread(connection: AsyncConnection, thread_id: str, *, owner: str | None) -> RowMapping | None:
    """The thread's row, and the thread to ourselves until the transaction ends. None: there is no such thread.

    Another owner's is Refused (404); without an owner the thread's own counts.
    """
    row = (await connection.execute(select(threads).where(threads.c.id == thread_id).with_for_update())).mappings()
    found = row.one_or_none()
    if found is not None and owner is not None and found["owner"] != owner:
        raise not_found()
    return found


def not_found() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "thread_not_found", "there is no such thread")


def turns_of(thread_id: str) -> Select[Any]:
    return (
        select(*TURN_COLUMNS, *_OF_THREAD, turns.c.number, turns.c.created_at)
        .join(threads)
        .where(turns.c.thread_id == thread_id)
    )


def turn_of(row: RowMapping) -> Turn:
    return Turn(**{field.name: row[field.name] for field in fields(Turn)})


def kept_turn_of(row: RowMapping) -> KeptTurn:
    return KeptTurn(turn=turn_of(row), number=row["number"], created_at=row["created_at"])


def arc_of(row: RowMapping) -> Arc:
    return Arc(**{column.name: row[column] for column in ARC_COLUMNS})


def thread_of(row: RowMapping) -> Thread:
    return Thread(
        thread_id=row["id"],
        guest=row["guest"],
        created_at=row["created_at"],
        active_at=row["active_at"],
        turn_count=row["turn_count"],
        message_count=row["message_count"],
        open_turns=row["turn_count"] - row["closed_turns"],
        finalization=Finalization(row["finalization"]),
        finalized_at=row["finalized_at"],
        failure=row["failure"],
    )
