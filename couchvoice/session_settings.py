"""What the backend asks of the provider, if the settings say so.

Law: data only; the backend checks it (session_checks.py) before it serves.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What the backend asks of the provider, unless a request says otherwise. The backend checks it.

    ``transcription_model`` may be "none", ``language`` "auto". ``turn_detection`` is server_vad (with the threshold
    or the sensitivity, the padding, the silence, the idle timeout), semantic_vad (with the eagerness), or none: then
    the client commits what was said, as with push-to-talk.
    """

    model: str = "gpt-realtime-2.1"
    voice: str = "marin"
    speed: float | None = None
    language: str = "auto"
    transcription_model: str = "gpt-transcribe"
    turn_detection: str = "server_vad"
    vad_threshold: float | None = None
    vad_sensitivity: int | None = None
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    adaptive_vad: bool = False  # learn the silence from each owner's pauses; not in incognito
    idle_timeout_ms: int | None = None
    noise_reduction: str | None = None  # near_field, far_field, none; the provider's own, not ours
    eagerness: str = "auto"
    create_response: bool = True
    interrupt_response: bool = True
    ask_feedback: bool = False  # before the goodbye, by voice
    secret_lifetime: int = 300  # seconds in which a client must have opened its session
