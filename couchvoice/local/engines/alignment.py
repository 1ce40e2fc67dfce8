"""One pass over an utterance that finds which recordings it consists of, one after the other.

A Viterbi search: every frame of every recording is a state; standing on it earns what the two frames have in common,
and every voiced frame of the recording that is missing costs one. So the score is evidence: speech that did not
arrive cannot be made up for, unlike with dynamic time warping, which forgives it.
Law: vectorised over all recordings' frames; the loop is over the time of the utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.local.engines.spectrum import Levels, noise_floor, shapes, voiced

_LIKE = 0.6  # cosine at which two frames are neither like nor unlike
_SKIP = 0.25  # frames, the price of one missing frame besides itself
_STAY = 0.25  # frames, the price of holding a frame
_ENTER = 10.0  # frames, the price of beginning a recording
_KEEP = 24  # recordings that are aligned in full
_COARSE = 2  # frames per step of the search for those
_DRIFT = 6  # frames off the straight line that a segment may run
_WINDOW = 16  # frames, over which a segment's weakest stretch is measured
_NEVER = np.float32(-1e9)

_Floats = NDArray[np.float32]
_Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the utterance, in frames, that is recording ``index``.

    ``share``: how much of the recording is in it. ``weakest``: how much in its weakest 160 ms.
    """

    index: int
    start: int
    end: int
    share: float
    weakest: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """The segments in order, which frames of the utterance are speech, and the nearest recording if none fits."""

    segments: list[Segment]
    speech: NDArray[np.bool_]
    nearest: int
    nearest_share: float


@dataclass(frozen=True, slots=True)
class _Frames:
    """The frames of some recordings end to end. ``own``: whose it is; ``first``, ``last``: per recording."""

    index: _Ints
    spectrum: Levels
    own: _Ints
    first: _Ints
    last: _Ints

    @classmethod
    def of(cls, recordings: Sequence[Levels], index: _Ints) -> _Frames:
        lengths = np.array([len(recordings[i]) for i in index])
        last = np.cumsum(lengths) - 1
        spectrum = np.concatenate([recordings[i] for i in index])
        return cls(index, spectrum, np.repeat(np.arange(len(index)), lengths), last - lengths + 1, last)


@dataclass(frozen=True, slots=True)
class _Likeness:
    """What the search works on: ``credit[t, j]`` for utterance frame t on recording frame j, -1 to 1.

    ``weight``: 1 for voiced recording frames, else 0. ``total``: their number per recording.
    """

    frames: _Frames
    credit: _Floats
    weight: _Floats
    total: _Floats


def align(utterance: Levels, recordings: Sequence[Levels]) -> Alignment:
    """Find the recordings in the utterance. There is at least one recording."""
    floor = noise_floor(utterance)
    begin, end = np.zeros(len(utterance), np.intp), np.full(len(utterance), len(utterance) - 1)
    heard = shapes(utterance, floor, begin, end)
    index = np.arange(len(recordings))
    if len(recordings) > _KEEP:
        index = _candidates(_likeness(heard[::_COARSE], floor, _Frames.of(recordings, index)))
    likeness = _likeness(heard, floor, _Frames.of(recordings, index))
    spans, best = _search(likeness)
    shares = (np.maximum.reduceat(best, likeness.frames.first) + _ENTER) / likeness.total
    nearest = int(shares.argmax())
    return Alignment(
        [_segment(likeness, *span) for span in spans],
        voiced(utterance, floor),
        int(index[nearest]),
        float(max(shares[nearest], 0.0)),
    )


def _likeness(heard: Levels, floor: Levels, frames: _Frames) -> _Likeness:
    known = shapes(frames.spectrum, floor, frames.first[frames.own], frames.last[frames.own])
    weight = voiced(frames.spectrum, floor).astype(np.float32)
    credit = heard @ known.T
    credit -= _LIKE
    credit /= 1 - _LIKE
    np.clip(credit, -1, 1, out=credit)
    credit *= weight
    return _Likeness(frames, credit, weight, np.maximum(np.add.reduceat(weight, frames.first), 1))


def _candidates(likeness: _Likeness) -> _Ints:
    """Those that could score highest if the order of their frames did not matter: an upper bound."""
    bound = np.add.reduceat(np.maximum(likeness.credit.max(axis=0), 0), likeness.frames.first) / likeness.total
    return likeness.frames.index[np.argsort(-bound, kind="stable")[:_KEEP]]


def _search(likeness: _Likeness) -> tuple[list[tuple[int, int, int, float]], _Floats]:
    """The spans (start, end, last recording frame, score) of the best chain, and each frame's best single score."""
    frames, weight = likeness.frames, likeness.weight
    seen = np.cumsum(weight)
    head = seen - weight - (seen - weight)[frames.first][frames.own]  # voiced frames before this one
    tail = likeness.total[frames.own] - head - weight  # and after it
    second = np.minimum(frames.first + 1, frames.last)
    score = np.full(len(weight), _NEVER, np.float32)
    since = np.zeros(len(weight), np.intp)
    best = np.full(len(weight), _NEVER, np.float32)
    chain = np.zeros(len(likeness.credit) + 1, np.float32)  # [t]: the best that explains everything before t
    back: list[tuple[int, int] | None] = [None]
    for now, credit in enumerate(likeness.credit):
        moved, entered = chain[now] - _ENTER - head, np.full(len(weight), now)
        one = np.roll(score, 1)
        one[frames.first] = _NEVER
        two = np.roll(score, 2) - _SKIP - np.roll(weight, 1)
        two[frames.first] = two[second] = _NEVER
        for steps, reached in ((1, one), (2, two)):
            better = reached > moved
            moved, entered = np.where(better, reached, moved), np.where(better, np.roll(since, steps), entered)
        moved = moved + credit
        held = score - _STAY
        score, since = np.maximum(held, moved), np.where(held > moved, since, entered)
        whole = score - tail
        np.maximum(best, whole, out=best)
        top = int(whole.argmax())
        chain[now + 1] = max(chain[now], whole[top])
        back.append((int(since[top]), top) if whole[top] > chain[now] else None)
    return _traced(chain, back), best


def _traced(chain: _Floats, back: Sequence[tuple[int, int] | None]) -> list[tuple[int, int, int, float]]:
    spans: list[tuple[int, int, int, float]] = []
    now = len(back) - 1
    while now:
        if (step := back[now]) is None:
            now -= 1
            continue
        start, frame = step
        spans.append((start, now, frame, float(chain[now] - chain[start]) + _ENTER))
        now = start
    return spans[::-1]


def _segment(likeness: _Likeness, start: int, end: int, frame: int, score: float) -> Segment:
    frames = likeness.frames
    which = int(frames.own[frame])
    first, last = int(frames.first[which]), int(frames.last[which])
    line = np.round(np.linspace(max(first, frame - (end - start) + 1), frame, end - start)).astype(np.intp)
    times = np.arange(start, end)
    drifts = range(-_DRIFT, _DRIFT + 1)
    credit = np.max([likeness.credit[times, np.clip(line + drift, first, last)] for drift in drifts], axis=0)
    credit = credit[likeness.weight[line] > 0]
    weakest = 0.0
    if len(credit) >= _WINDOW:
        weakest = float(np.convolve(credit, np.full(_WINDOW, 1 / _WINDOW), "valid").min())
    return Segment(int(frames.index[which]), start, end, score / float(likeness.total[which]), weakest)
