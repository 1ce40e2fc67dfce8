"""What the command line of ``talk`` says, as far as it is no setting.

Law: an option that cannot be is refused here, before anything is opened.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.volume import FULL_VOLUME
from couchvoice.contract import VOICES, Feedback, MemoryMode, SessionRequest, is_language
from couchvoice.core.session_update import speed_of
from couchvoice.errors import ConfigError
from couchvoice.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkOptions:
    """``text``: answers come in writing. ``speak_text``: those that do are spoken here."""

    input: str | None = None
    output: str | None = None
    demo: bool = False
    thread: str | None = None
    user: str | None = None
    memory: MemoryMode = "incognito"
    voice: str | None = None
    mode: str | None = None
    speed: float | None = None
    language: str | None = None
    text: bool = False
    speak_text: bool = False
    finalize: bool = True
    volume: float = FULL_VOLUME  # percent
    meter: bool = True
    transcript: bool = True
    feedback: Feedback | None = None

    @property
    def is_typed(self) -> bool:
        """Nobody speaks: the talk is over when nothing more can be typed."""
        return self.text and self.input is None and not self.demo

    @property
    def is_silent(self) -> bool:
        """Nothing will be heard, and nobody asked for it."""
        return self.text and not self.speak_text and self.output is None


def require_listener(options: TalkOptions, settings: Settings) -> None:
    """Raises ConfigError for a spoken talk in which nobody would listen: ours to know with the embedded backend."""
    if settings.backend_url is None and settings.session.turn_detection == "none" and not options.is_typed:
        raise ConfigError(
            'COUCHVOICE_TURN_DETECTION is "none" (push-to-talk) and this command has no button: choose server_vad or '
            "semantic_vad, or type with --text"
        )


def echo_policy_of(settings: Settings) -> EchoPolicy:
    """Raises ConfigError: the environment and the file may say anything."""
    try:
        return EchoPolicy(settings.echo)
    except ValueError as exc:
        raise ConfigError(f'COUCHVOICE_ECHO is "{settings.echo}": choose one of {", ".join(EchoPolicy)}') from exc


def request_of(options: TalkOptions, *, embedded: bool) -> SessionRequest:
    """What the backend is asked for. Raises ConfigError. ``embedded``: the backend is ours, with the voices we know."""
    if embedded and options.voice is not None and options.voice not in VOICES:
        raise ConfigError(f'unknown voice "{options.voice}": choose one of {", ".join(VOICES)}')
    if options.speed is not None:
        speed_of(options.speed)
    if options.language is not None and not is_language(options.language):
        raise ConfigError(f'"{options.language}" is no code of a language: write en, de, pt-BR, or auto')
    try:
        return SessionRequest(
            thread_id=options.thread if options.thread is not None else f"thread_{secrets.token_hex(8)}",
            user_id=options.user,
            memory_mode=options.memory,
            assistant_voice=options.voice,
            mode=options.mode,
            language=options.language,
            save_transcript=None if options.transcript else False,
        )
    except ValueError as exc:
        raise ConfigError(
            "--thread must name a thread (1 to 200 characters), --user, --voice and --mode a text"
        ) from exc
