"""A process that holds scenarios: a Job on each line of stdin, an Outcome on each line of stdout, until stdin ends.

    python -m couchvoice.scenario.worker

Law: stdout carries nothing else, whatever a library prints.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from couchvoice.cassette import load_cassette
from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.log_lines import show_log_lines
from couchvoice.scenario.job import Job
from couchvoice.scenario.outcome import Outcome
from couchvoice.scenario.recording import cassette_of
from couchvoice.scenario.runner import run_scenario
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.settings import load_settings


def main() -> None:
    # Ctrl-C is for who started this: it ends the workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    show_log_lines(load_settings().log)
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(done(msgspec.json.decode(line, type=Job))) + b"\n")
        answers.flush()


def done(job: Job) -> Outcome:
    """Never raises for what is wrong with a scenario."""
    # A worker that is killed cannot tidy up; who has made this folder does.
    tempfile.tempdir = job.folder
    try:
        scenario = next((one for one in read_scenarios(Path(job.file)) if one.name == job.name), None)
        if scenario is None:
            raise ConfigError(f"{job.file} was changed: it has no scenario {job.name!r} any more")
        replay = load_cassette(Path(job.replay)) if job.replay is not None else None
        held = run_scenario(scenario, load_settings(job.settings), speed=job.speed, replay=replay)
        if job.talk is not None:
            held.record.save(Path(job.talk))
            held.outcome.talk = job.talk
        # A talk that never began has its own error.
        if job.record is not None and held.outcome.outcome != "broken":
            cassette_of(held.record).save(Path(job.record))
    except CouchvoiceError as exc:
        return Outcome(name=job.name, file=job.file, outcome="broken", error=str(exc))
    return held.outcome


if __name__ == "__main__":
    main()
