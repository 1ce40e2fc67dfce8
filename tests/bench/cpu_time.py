"""CPU time of another process: its own threads, and children of its that have ended. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # per second

_TIMES = slice(11, 15)  # of /proc/PID/stat after the name: utime, stime, and those of the children that have ended


def cpu_seconds(pid: int) -> float:
    _, _, fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return sum(int(ticks) for ticks in fields.split()[_TIMES]) / TICKS
