"""A real PostgreSQL for the tests: one server for the whole run, a database for each worker of xdist.

Law: the first worker that needs it starts it, the last one that used it stops it; it listens on a socket in a folder
of its own, and nothing of it is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.requirements import require

_PROGRAMS = "/usr/lib/postgresql"  # Debian's, one folder for each version
_SUPERUSER = "postgres"
AS_SHIPPED = "-c listen_addresses=''"
# Nobody pulls the plug of a test.
_FAST = f"{AS_SHIPPED} -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
_START_TIMEOUT = 60  # seconds


def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@contextlib.contextmanager
def running_postgres(options: str = _FAST) -> Iterator[str]:
    """The URL of this worker's database, which is empty. ``options``: of the server, for whoever starts it."""
    initdb = next(iter(sorted(Path(_PROGRAMS).glob("*/bin/initdb"), reverse=True)), None)
    require(initdb, "needs PostgreSQL: apt install postgresql")
    assert initdb is not None  # it is required
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    place = Path(tempfile.gettempdir()) / f"couchvoice-postgres-{run}"
    place.mkdir(exist_ok=True)
    users = place / "users"
    with _alone(place):
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            _start(place, initdb.parent, options)
        users.write_text(str(count + 1))
    try:
        _sql(place, initdb.parent, f"CREATE DATABASE {worker()}")
        yield f"postgresql+asyncpg://{_SUPERUSER}@/{worker()}?host={place / 'server'}"
    finally:
        with _alone(place):
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                _run(place, initdb.parent / "pg_ctl", "-D", str(place / "server" / "data"), "-m", "immediate", "stop")
                shutil.rmtree(place)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(place: Path, programs: Path, options: str) -> None:
    server = place / "server"
    server.mkdir()
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(server, _SUPERUSER, _SUPERUSER)
    data = server / "data"
    _run(place, programs / "initdb", "-D", str(data), "-U", _SUPERUSER, "-A", "trust", "--no-sync", "--locale=C.UTF-8")
    run = ("-w", "-l", str(server / "log"), "-o", f"-k {server} {options}", "start")
    _run(place, programs / "pg_ctl", "-D", str(data), *run)


def _sql(place: Path, programs: Path, statement: str) -> None:
    _run(place, programs / "psql", "-q", "-h", str(place / "server"), "-U", _SUPERUSER, "-c", statement)


def _run(place: Path, program: Path, *arguments: str) -> None:
    someone = {"user": _SUPERUSER, "group": _SUPERUSER} if os.geteuid() == 0 else {}
    subprocess.run(
        [str(program), *arguments],
        cwd=place / "server",
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would be kept open by the server
        timeout=_START_TIMEOUT,
        **someone,
    )
