"""Sound on a timeline."""

import numpy as np

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.scenario.tape import Tape

FRAME = np.full(960, 1000, dtype=np.int16)


def test_it_begins_at_zero_whenever_the_first_sound_comes():
    tape = Tape()
    tape.put(FRAME, 0.05)
    assert np.flatnonzero(tape.samples())[0] == 0.05 * SAMPLE_RATE


def test_a_frame_that_is_a_little_late_follows_the_one_before():
    tape = Tape()
    for number, late in enumerate((0.0, 0.01, 0.0, 0.05)):
        tape.put(FRAME, 0.02 * number + late)
    assert np.all(tape.samples() == 1000)


def test_a_hole_is_silence_of_its_length():
    tape = Tape()
    tape.put(FRAME, 0.0)
    tape.put(FRAME, 0.5)
    assert np.flatnonzero(tape.samples()[960:])[0] == 0.5 * SAMPLE_RATE - 960


def test_what_comes_in_one_burst_is_all_kept():
    tape = Tape()
    for _ in range(10):
        tape.put(FRAME, 0.02)
    assert np.count_nonzero(tape.samples()) == 9600
