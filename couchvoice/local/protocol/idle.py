"""The idle timeout: how long nobody has said anything since the last answer was heard out.

OpenAI (server_vad, ``idle_timeout_ms``): the timeout is applied after the last response's audio has finished playing.
Law: the clock is that of the input; before the first answer, and after speech, nothing is idle.
"""

from __future__ import annotations


class IdleTimer:
    """Ask ``due`` as the input clock goes on."""

    def __init__(self) -> None:
        self._answers = 0
        self._since: int | None = None  # ms

    def due(self, now_ms: int, timeout_ms: int, *, quiet: bool, answers: int, unheard_ms: int) -> int | None:
        """Since when it has been quiet, if that is too long.

        ``answers``: how many have ended so far; ``unheard_ms``: how long the last one still sounds at the client.
        """
        if not quiet:
            self._since = None
        elif answers != self._answers:
            self._answers, self._since = answers, now_ms + unheard_ms
        elif self._since is not None and now_ms - self._since >= timeout_ms:
            since, self._since = self._since, None
            return since
        return None
