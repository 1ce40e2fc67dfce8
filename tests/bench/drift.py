"""``drift``: an hour in which the card's crystal and the server's differ by 200 ppm, on a virtual clock.

How much later or sooner the same speech is heard at the end than at the beginning, and how often sound was torn: ours,
and stock aiortc with the plain queue of a script behind it, on the same packets. 200 ppm are 0.72 s in an hour.
The ratio is of our shift to what the crystals differ by. A plain queue grows on one side, and is torn on the other.
Law: the delay is measured in what is heard, for each receiver alike, and never asked of the receiver.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from tests.bench.heard import BLOCK, Heard, Receiver
from tests.bench.listening import delays
from tests.bench.our_receiver import OurReceiver
from tests.bench.rounds import Figures
from tests.bench.speech import RATE, Samples, Speech, recorded
from tests.bench.stock_receiver import StockReceiver
from tests.bench.trace import APART, CONDITIONS, NETWORK_DELAY, Packet, record, renumbered

PPM = (-200, 200)  # how much faster the card is
SECONDS = 3600.0
QUICK_SECONDS = 240.0
SETTLED = 1  # rounds of the same speech before the delay counts as the first
SEED = 1
GOAL = {"shift_ms": 20.0, "torn": 0}

RECEIVERS: dict[str, type[OurReceiver] | type[StockReceiver]] = {"stock": StockReceiver, "ours": OurReceiver}


def measure(*, quick: bool) -> dict[str, object]:
    seconds = QUICK_SECONDS if quick else SECONDS
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = {
            (f"{ppm:+d} ppm", name): pool.submit(_listen, name, ppm / 1e6, seconds)
            for ppm, name in itertools.product(PPM, RECEIVERS)
        }
        columns: dict[str, dict[str, Figures]] = {}
        for (drift, name), job in jobs.items():
            columns.setdefault(drift, {})[name] = job.result()
            print(f"{drift:<9} {name:<6} {job.result()}", file=sys.stderr)
    drifted = seconds * max(PPM) / 1000  # ms
    ratios = {drift: round(abs(both["ours"]["shift_ms"]) / drifted, 3) for drift, both in columns.items()}
    return {"seconds": seconds, "drifted_ms": drifted, "drift": columns, "ratio": ratios, "goal": GOAL}


def _listen(name: str, drift: float, seconds: float) -> Figures:
    """The same speech over and over; heard at the beginning and at the end."""
    speech = recorded(SEED)
    rounds = max(SETTLED + 2, round(seconds * RATE / speech.samples.size))
    receiver = RECEIVERS[name]()
    lasts = speech.samples.size / RATE
    first = last = 0.0
    for number, heard in enumerate(_heard(receiver, speech, drift=drift, rounds=rounds)):
        if number == SETTLED:
            first = _delay(speech, heard)
        elif number == rounds - 1:
            last = _delay(speech, heard)
    return {
        "first_ms": round(1000 * first, 1),
        "last_ms": round(1000 * last, 1),
        "shift_ms": round(1000 * (last - first), 1),
        "torn": receiver.torn,
        "minutes": round(rounds * lasts / 60, 1),
    }


def _heard(receiver: Receiver, speech: Speech, *, drift: float, rounds: int) -> Iterator[Heard]:
    """What the card plays, round by round, on the clock of the round."""
    packets = record(CONDITIONS["clean"], speech, seed=SEED).packets
    lasts, block = len(packets) * APART, BLOCK / RATE / (1 + drift)
    coming: Iterator[tuple[float, Packet]] = (
        (number * APART + NETWORK_DELAY, renumbered(packets[number % len(packets)], number))
        for number in range(rounds * len(packets))
    )
    due, pulled = next(coming, None), 0
    for number in range(rounds):
        blocks: list[Samples] = []
        began = pulled * block - number * lasts
        while pulled * block < (number + 1) * lasts:
            while due is not None and due[0] <= pulled * block:
                receiver.put(due[1], due[0])
                due = next(coming, None)
            blocks.append(receiver.pull(BLOCK))
            pulled += 1
        yield Heard(np.concatenate(blocks), began, missing=0.0)


def _delay(speech: Speech, heard: Heard) -> float:
    return statistics.median(delay.by for delay in delays(speech, heard))
