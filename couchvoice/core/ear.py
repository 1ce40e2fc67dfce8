"""The ear: what the assistant says, how far it has been heard, and what is cut when the user speaks over it.

Not the sound itself, which never passes here: this goes by ``output_audio_buffer`` events, and by what the speaker
reports where the provider sends none.
Law: an answer is over when it was heard out, not when ``response.done`` came; and nothing waits for its end for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import assert_never

from couchvoice.core import server_events as server
from couchvoice.core.answer import Answer, Sound
from couchvoice.core.effects import Effect, FlushPlayback, SpeakText
from couchvoice.core.notices import AssistantTranscript, Interrupted, Problem
from couchvoice.core.turns import TurnLedger

BUFFER_EVENT_TIMEOUT = 0.5  # seconds after response.done; later nobody will send output_audio_buffer.started
STOPPED_TIMEOUT = 5.0  # seconds of a quiet speaker; later nobody will send output_audio_buffer.stopped
HEARD_OUT_TIMEOUT = 300.0  # seconds after response.done; a server that never says stopped must not hold a turn for ever
SYNTHESIS_TIMEOUT = 15.0  # seconds after response.done; later nobody will speak it here

Words = server.AudioTranscriptDelta | server.AudioTranscriptDone | server.TextDelta | server.TextDone
BufferEvent = server.OutputBufferStarted | server.OutputBufferStopped | server.OutputBufferCleared


class Ear:
    """Writes the answers that the ledger keeps. ``speaks_text``: the owner gives written answers a voice."""

    def __init__(self, ledger: TurnLedger, *, speaks_text: bool) -> None:
        self._ledger = ledger
        self._speaks_text = speaks_text
        self._audible = False
        self._quiet_since: float | None = None  # the speaker, after it was audible

    @property
    def speaking(self) -> bool:
        """An answer can be heard now."""
        answers = [answer for _, answer in self._ledger.answers()]
        return any(answer.sound is Sound.PLAYING or (answer.sounding and self._audible) for answer in answers)

    def response_created(self, now: float) -> None:
        """One response at a time: whoever begins one has ended those before, even if we were not told."""
        for _, answer in self._ledger.answers():
            answer.done_at = now if answer.done_at is None else answer.done_at

    def wrote(self, event: Words, now: float) -> list[Effect]:
        answer = self._ledger.answer(event.response_id)
        if answer is None:
            return []
        part, before = (event.output_index, event.content_index), answer.text
        match event:
            case server.AudioTranscriptDelta() | server.TextDelta() if part in answer.final:
                pass  # it came late, or twice
            case server.AudioTranscriptDelta() | server.TextDelta():
                answer.parts[part] = answer.parts.get(part, "") + event.delta
            case server.AudioTranscriptDone():
                answer.parts[part] = event.transcript
                answer.final.add(part)
            case server.TextDone():
                answer.parts[part] = event.text
                answer.final.add(part)
            case _:
                assert_never(event)
        if isinstance(event, server.AudioTranscriptDelta | server.AudioTranscriptDone):
            _expect_sound(answer)
        else:
            answer.written = True
        if answer.text == before or answer.status:
            return []
        answer.worded_at = now if answer.worded_at is None else answer.worded_at
        return [AssistantTranscript(event.response_id, answer.text, final=False)]

    def response_done(self, answer: Answer, response: server.Response, now: float) -> list[Effect]:
        answer.status, answer.done_at = response.status or "completed", now
        _fill_in(answer, response)
        if answer.text and answer.worded_at is None:
            answer.worded_at = now
        if response.status == "cancelled":
            answer.cut = True
            # What was cancelled before it sounded will not sound; the rest ends with output_audio_buffer.cleared.
            answer.sound = Sound.OVER if answer.sound is Sound.COMING else answer.sound
        effects: list[Effect] = []
        if answer.text:
            effects.append(AssistantTranscript(response.id, answer.text, final=True, interrupted=answer.cut))
        if response.status == "failed":
            effects.append(_problem_of(response))
        if self._speaks_text and answer.written and answer.text and answer.sound is Sound.NONE and not answer.cut:
            answer.sound, answer.spoken_here = Sound.COMING, True
            effects.append(SpeakText(response.id, answer.text))
        return effects

    def buffer_changed(self, event: BufferEvent, now: float) -> list[Effect]:
        answer = self._ledger.answer(event.response_id)
        if answer is None:
            return []
        match event:
            case server.OutputBufferStarted() if answer.sound is not Sound.OVER:
                self._start(answer, now)
            case server.OutputBufferStopped():
                answer.sound = Sound.OVER
            case server.OutputBufferCleared() if answer.sound is not Sound.OVER:
                return _cut({event.response_id: answer})
            case _:
                pass  # started or cleared, and cut or heard out before: nothing is left to hear
        return []

    def playback_changed(self, now: float, *, audible: bool) -> None:
        """Whether the speaker plays something: all there is to go by where no buffer events come."""
        self._audible = audible
        self._quiet_since = None if audible else now
        for _, answer in self._ledger.answers():
            if audible and answer.sounding and answer.sounded_at is None:
                answer.sounded_at = now

    def cut(self, running: Collection[str]) -> list[Effect]:
        """Silence what can be heard now. ``running``: the responses that are not done, so about to be heard."""
        # Without buffer events an answer that is done and quiet has been heard out, not cut.
        heard = {
            response_id: answer
            for response_id, answer in self._ledger.answers()
            if answer.sounding
            and (answer.sound is Sound.PLAYING or answer.spoken_here or self._audible or response_id in running)
        }
        if heard:
            return _cut(heard)
        # The speaker knows of sound that we thought was over: a late .started, a buffer longer than its event.
        return [FlushPlayback()] if self._audible else []

    def settle(self, now: float) -> None:
        """Whose end nobody told in time is over."""
        for _, answer in self._ledger.answers():
            due = self._due(answer)
            if due is not None and now >= due:
                answer.sound = Sound.OVER

    def next_timeout(self) -> float | None:
        dues = (self._due(answer) for _, answer in self._ledger.answers())
        return min((due for due in dues if due is not None), default=None)

    def _start(self, answer: Answer, now: float) -> None:
        for _, other in self._ledger.answers():
            # There is one buffer: what begins to sound follows what sounded.
            other.sound = Sound.OVER if other.sound is Sound.PLAYING else other.sound
        answer.sound = Sound.PLAYING
        answer.sounded_at = now if answer.sounded_at is None else answer.sounded_at

    def _due(self, answer: Answer) -> float | None:
        if answer.done_at is None or not answer.sounding:
            return None
        if answer.sound is Sound.COMING and answer.spoken_here:
            return answer.done_at + SYNTHESIS_TIMEOUT
        if answer.sound is Sound.COMING and not self._audible:
            return answer.done_at + BUFFER_EVENT_TIMEOUT
        if answer.sounded_at is not None and self._quiet_since is not None and self._quiet_since > answer.sounded_at:
            return max(answer.done_at, self._quiet_since) + STOPPED_TIMEOUT
        return answer.done_at + HEARD_OUT_TIMEOUT


def _cut(answers: Mapping[str, Answer]) -> list[Effect]:
    for answer in answers.values():
        answer.sound, answer.cut = Sound.OVER, True
    *_, last = answers
    return [FlushPlayback(), Interrupted(response_id=last)]


def _expect_sound(answer: Answer) -> None:
    if answer.sound is Sound.NONE and not answer.cut:
        answer.sound = Sound.COMING


def _fill_in(answer: Answer, response: server.Response) -> None:
    """A server that sends no deltas has the words in ``response.done``."""
    for index, item in enumerate(response.output or ()):
        for content_index, part in enumerate(item.content or ()):
            words = part.transcript or part.text
            if words and (response.status == "completed" or not answer.parts.get((index, content_index))):
                answer.parts[index, content_index] = words
                answer.final.add((index, content_index))
            if part.type in ("output_audio", "audio"):
                _expect_sound(answer)
            elif words and part.type in ("output_text", "text"):
                answer.written = True


def _problem_of(response: server.Response) -> Problem:
    error = response.status_details.error if response.status_details else None
    return Problem((error and error.code) or "response_failed", (error and error.message) or "the response failed")
