"""Listening: what a person would say of received speech, in figures. PESQ and STOI need the extra ``bench``.

Mouth-to-ear delay is found where the speech is, by correlation, window by window: it counts from the moment in which a
packet with the first sample leaves, so it contains the network and the 6.5 ms by which Opus looks ahead, and neither
the 20 ms of collecting a packet nor a card's own delay, which are the same for all receivers.
"""

from __future__ import annotations

import statistics
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.heard import Heard
from tests.bench.speech import RATE, Speech

WINDOW = 0.4  # seconds of speech that are looked for
STEP = 0.1  # seconds
LONGEST = 1.2  # seconds of delay
NEVER = 60.0  # seconds, for what has not happened by the end: JSON knows no infinity
ALIKE = 0.6  # correlation, 1 for the same: below it nothing was found
AUDIBLE = 100.0  # of 32767, root mean square: -50 dB
WIDE_BAND = 16_000  # Hz: what PESQ-wb and STOI listen to
AROUND = 0.3  # seconds before and after the utterances of one judgement
TOGETHER = 2  # utterances that are judged at once: PESQ is meant for about eight seconds

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Delay:
    """Of the window of speech that begins ``at`` seconds; ``by`` seconds later it was heard."""

    at: float
    by: float


def delays(speech: Speech, heard: Heard) -> list[Delay]:
    """In the order of the speech; what cannot be found in the sound is left out."""
    said, ear = _for_search(speech.samples), _for_search(heard.samples)
    size, reach = round(WINDOW * WIDE_BAND), round(LONGEST * WIDE_BAND)
    found = []
    for begin, end in _spans(speech):
        for at in np.arange(begin, end - WINDOW, STEP):
            window = said[round(at * WIDE_BAND) :][:size]
            first = round((at - heard.began) * WIDE_BAND)
            around = ear[max(0, first) : first + size + reach]
            if np.sqrt(np.mean(window**2)) < AUDIBLE or around.size <= size:
                continue
            lag, alike = _best_match(window, around)
            if alike >= ALIKE:
                found.append(Delay(float(at), (max(0, first) + lag) / WIDE_BAND + heard.began - float(at)))
    return found


def percentile(found: list[Delay], percent: int) -> float:
    """Of the delays, in seconds; NEVER where nothing was found."""
    return float(np.percentile([delay.by for delay in found], percent)) if found else NEVER


def back_after(found: list[Delay], *, resumes: float, within: float) -> float:
    """Seconds from the end of an incident until the delay has come back to ``within`` what it was, for good;
    NEVER if it does not."""
    before = statistics.median(delay.by for delay in found if delay.at + WINDOW < resumes - LONGEST / 2)
    away = [delay.at + delay.by for delay in found if delay.at + WINDOW > resumes and delay.by > before + within]
    if not away:
        return 0.0
    later = [delay for delay in found if delay.at + delay.by > away[-1]]
    return max(0.0, away[-1] + STEP - resumes) if later else NEVER


def pesq(speech: Speech, heard: Heard, found: list[Delay]) -> float:
    """The mean opinion (1 to 4.64) that ITU-T P.862.2 expects, over pairs of utterances."""
    from pesq import NoUtterancesError
    from pesq import pesq as judge

    scores = []
    for said, ear in _passages(speech, heard, found):
        try:
            scores.append(float(judge(WIDE_BAND, said, ear, "wb")))
        except NoUtterancesError:
            scores.append(1.0)  # nothing was heard of it
    return statistics.fmean(scores)


def stoi(speech: Speech, heard: Heard, found: list[Delay]) -> float:
    """Short-time objective intelligibility, 0 to 1."""
    from pystoi import stoi as judge

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too little speech left in it: it scores nearly nothing
        return statistics.fmean(float(judge(said, ear, WIDE_BAND)) for said, ear in _passages(speech, heard, found))


def _passages(speech: Speech, heard: Heard, found: list[Delay]) -> list[tuple[Signal, Signal]]:
    """What was said and what was heard of it, from pause to pause, the median delay taken off."""
    said, ear = _for_judges(speech.samples), _for_judges(heard.samples)
    spans = _spans(speech)
    overall = statistics.median(delay.by for delay in found) if found else 0.0
    passages = []
    for first in range(0, len(spans), TOGETHER):
        begin, end = spans[first][0] - AROUND, spans[min(first + TOGETHER, len(spans)) - 1][1] + AROUND
        mine = [delay.by for delay in found if begin <= delay.at < end]
        shift = statistics.median(mine) if mine else overall
        size = round((end - begin) * WIDE_BAND)
        start = round((begin + shift - heard.began) * WIDE_BAND)
        piece = ear[max(0, start) : start + size]
        passages.append((said[round(begin * WIDE_BAND) :][:size], np.pad(piece, (0, size - piece.size))))
    return passages


def _spans(speech: Speech) -> list[tuple[float, float]]:
    return [(begin / RATE, end / RATE) for begin, end in speech.utterances]


def _for_judges(samples: NDArray[np.int16]) -> Signal:
    from scipy.signal import resample_poly

    resampled: Signal = resample_poly(samples.astype(np.float64), 1, RATE // WIDE_BAND)
    return resampled


def _for_search(samples: NDArray[np.int16]) -> Signal:
    step = RATE // WIDE_BAND
    averaged: Signal = samples[: samples.size // step * step].reshape(-1, step).mean(axis=1)
    return averaged


def _best_match(window: Signal, around: Signal) -> tuple[int, float]:
    # By FFT, in numpy alone: the tests have no scipy.
    size = around.size + window.size
    spectrum = np.fft.rfft(around, size) * np.conj(np.fft.rfft(window, size))
    products = np.fft.irfft(spectrum, size)[: around.size - window.size + 1]
    sums = np.concatenate([[0.0], np.cumsum(around**2)])
    energies = sums[window.size :] - sums[: -window.size]
    alike = products / np.sqrt(np.maximum(energies, 1.0) * np.sum(window**2))
    lag = int(np.argmax(alike))
    return lag, float(alike[lag])
