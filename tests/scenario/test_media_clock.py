"""The media clock: it jumps when nothing is left to do, and waits for what is done elsewhere."""

from __future__ import annotations

import asyncio
import math
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from couchvoice.errors import ConfigError
from couchvoice.outside import let_really_pass, outside_work
from couchvoice.scenario import jumping_selector
from couchvoice.scenario.media_clock import MediaClockLoop, chosen_speed, run
from couchvoice.settings import Settings

REALLY = 0.05  # seconds that something takes outside of the loop
LONG = 3600.0  # seconds that nobody waits for
TINY = 1e-6  # seconds: rounding


def now() -> float:
    return asyncio.get_running_loop().time()


def media_seconds(main) -> float:
    """How much media time ``await main()`` takes while other timers are waiting to be rung."""

    async def measured() -> float:
        other = asyncio.create_task(asyncio.sleep(LONG))
        began = now()
        await main()
        other.cancel()
        return now() - began

    return run(measured())


@pytest.mark.row("P17")
def test_nobody_waits_for_a_timer():
    before = time.monotonic()
    assert media_seconds(lambda: asyncio.sleep(LONG - 1)) == pytest.approx(LONG - 1)
    assert time.monotonic() - before < LONG / 100


@pytest.mark.row("P17")
def test_timers_ring_in_order_and_on_time():
    rung = []

    async def main():
        began = now()

        async def ring(after):
            await asyncio.sleep(after)
            rung.append((after, round(now() - began, 6)))

        async with asyncio.TaskGroup() as tasks:
            for after in (5.0, 0.02, 1.0, 0.04):
                tasks.create_task(ring(after))

    run(main())
    assert rung == [(0.02, 0.02), (0.04, 0.04), (1.0, 1.0), (5.0, 5.0)]


def test_a_deadline_is_met():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LONG - 1):
                await asyncio.Event().wait()

    assert media_seconds(main) == pytest.approx(LONG - 1)


async def a_thread():
    await asyncio.to_thread(time.sleep, REALLY)


async def an_unseen_thread():
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work():
        time.sleep(REALLY)
        loop.call_soon_threadsafe(done.set)

    with outside_work():
        threading.Thread(target=work).start()
        await done.wait()


async def a_child():
    code = f"import time; time.sleep({REALLY})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code)
    assert await process.wait() == 0


async def a_child_with_pipes():
    code = f"import time; time.sleep({REALLY}); print(input())"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code, stdin=pipe, stdout=pipe)
    said, _ = await process.communicate(b"yes\n")
    assert (said, process.returncode) == (b"yes\n", 0)


async def a_stream():
    here, there = socket.socketpair()
    here.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=here)

    def answer():
        time.sleep(REALLY)
        there.sendall(b"yes\n")

    threading.Thread(target=answer).start()
    assert await reader.readline() == b"yes\n"
    writer.close()
    await writer.wait_closed()
    there.close()


@pytest.mark.row("P17")
@pytest.mark.parametrize("work", [a_thread, an_unseen_thread, a_child, a_child_with_pipes])
def test_no_time_passes_while_something_is_under_way_outside(work):
    before = time.monotonic()
    assert media_seconds(work) < TINY
    assert time.monotonic() - before >= REALLY


@pytest.mark.row("P17")
def test_while_something_outside_is_connected_time_is_real():
    before = time.monotonic()
    media = media_seconds(a_stream)
    assert REALLY / 2 < media <= time.monotonic() - before


def test_a_program_that_is_missing_does_not_stop_the_clock():
    async def main():
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/no/such/program")
        await asyncio.sleep(LONG - 1)

    assert media_seconds(main) == pytest.approx(LONG - 1)


@pytest.mark.row("P17")
def test_what_hangs_outside_meets_the_deadlines_of_the_talk(monkeypatch):
    monkeypatch.setattr(jumping_selector, "PATIENCE", REALLY)

    async def main():
        with pytest.raises(TimeoutError), outside_work():
            async with asyncio.timeout(2 * REALLY):
                await asyncio.Event().wait()

    before = time.monotonic()
    assert media_seconds(main) == pytest.approx(2 * REALLY, abs=REALLY)
    assert time.monotonic() - before >= 3 * REALLY - TINY


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


class Heard(asyncio.DatagramProtocol):
    def __init__(self):
        self.came = asyncio.Event()

    def datagram_received(self, data, addr):
        self.came.set()


@pytest.mark.row("P17")
def test_a_datagram_is_there_at_once():
    async def main():
        loop = asyncio.get_running_loop()
        echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        to = echo.get_extra_info("sockname")
        for _ in range(100):
            asking, heard = await loop.create_datagram_endpoint(Heard, remote_addr=to)
            asking.sendto(b"?")
            await heard.came.wait()
            asking.close()
        echo.close()

    assert media_seconds(main) < TINY


@pytest.mark.row("P17")
def test_a_speed_is_a_limit():
    async def main():
        began, really = now(), time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0.1)
        return now() - began, time.monotonic() - really

    media, real = run(main(), speed=10)
    assert media == pytest.approx(1.0)
    assert real >= 0.1 - TINY


def test_real_time_is_an_ordinary_loop():
    async def main():
        return type(asyncio.get_running_loop())

    assert not issubclass(run(main(), speed=1), MediaClockLoop)
    assert issubclass(run(main()), MediaClockLoop)


@pytest.mark.parametrize("speed", [0.0, 0.5, -1.0, math.nan])
def test_nothing_runs_slower_than_real_time(speed):
    with pytest.raises(ConfigError, match="write a number from 1"):
        run(asyncio.sleep(0), speed=speed)


@pytest.mark.row("P17")
@pytest.mark.parametrize(
    ("elsewhere", "named"),
    [
        ({"backend_url": "http://127.0.0.1:8765"}, "the backend http://127.0.0.1:8765"),
        ({"realtime_url": "http://127.0.0.1:8766/v1"}, "the provider at http://127.0.0.1:8766/v1"),
        ({"provider": "openai"}, "the provider openai"),
    ],
)
def test_who_lives_elsewhere_lives_in_real_time(elsewhere, named):
    settings = Settings(state_dir=Path("unused"), **elsewhere)
    assert chosen_speed(settings, None) == 1
    assert chosen_speed(settings, 1) == 1
    with pytest.raises(ConfigError) as refused:
        chosen_speed(settings, 4)
    assert named in str(refused.value)


def test_both_embedded_ends_keep_up_with_any_speed():
    settings = Settings(state_dir=Path("unused"), provider="local")
    assert [chosen_speed(settings, speed) for speed in (None, 1, 4)] == [None, 1, 4]


def test_an_ordinary_loop_does_not_care():
    async def main():
        with outside_work():
            return "done"

    assert asyncio.run(main()) == "done"


@pytest.mark.row("P17")
def test_a_library_that_counts_real_seconds_gets_them():
    async def main():
        let_really_pass(REALLY)

    before = time.monotonic()
    assert media_seconds(main) < TINY
    assert time.monotonic() - before >= REALLY
    before = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - before < REALLY


@pytest.mark.row("P17")
def test_a_stream_between_two_of_this_loop_holds_nothing_up():
    """As between a client and a server in one process: what was written is there at once, and both may wait long."""

    async def answer(reader, writer):
        await reader.readline()
        await asyncio.sleep(LONG / 2)
        writer.write(b"yes\n")
        writer.close()

    async def main():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"?\n")
        assert await reader.readline() == b"yes\n"
        writer.close()
        server.close()
        await asyncio.sleep(LONG / 2 - 1)

    before = time.monotonic()
    assert media_seconds(main) == pytest.approx(LONG - 1)
    assert time.monotonic() - before < jumping_selector.PATIENCE
