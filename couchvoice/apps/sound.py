"""The sound of a talk: which microphone and which loudspeaker it gets, or which files in their place.

Law: a device is asked for only when the talk needs one; a talk that nobody hears runs where there is none.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from couchvoice.apps.chosen_device import chosen_device
from couchvoice.apps.remembered_devices import RememberedDevices
from couchvoice.apps.screen import Screen
from couchvoice.apps.talk_options import TalkOptions
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.sink import NullSink, Sink
from couchvoice.audio.source import SilentSource, Source
from couchvoice.audio.speaker import Speaker
from couchvoice.audio.wav import WavSink, WavSource
from couchvoice.core.turn_detection import read_turn_detection, reduces_noise
from couchvoice.errors import AudioDeviceError, ConfigError

DEMO_WAV = "first-talk.wav"

_WAV_SUFFIX = ".wav"
_FILE_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)  # not the end of "Speaker 2.0"
_NO_OUTPUT = "none"
_TAKING_TURNS = (
    "the microphone is closed while the assistant speaks (no livekit: pip install 'couchvoice[aec]'); type to interrupt"
    " it, or use --echo none with headphones"
)
_MEANING_LOST = (
    "semantic_vad listens to how something is said, and noise suppression takes some of that away: leave one of them"
    " out if it cuts you off or keeps you waiting"
)


def wav_of(options: TalkOptions, stack: contextlib.ExitStack | contextlib.AsyncExitStack) -> Path | None:
    """The WAV that is the microphone, if one is."""
    if options.demo:
        if options.input is not None:
            raise ConfigError("--demo is its own input: leave out --input")
        return stack.enter_context(resources.as_file(resources.files("couchvoice.apps") / DEMO_WAV))
    if options.input is None:
        return None
    path = Path(options.input)
    # os.path: a device's name may be no possible name of a file.
    return path if path.suffix.lower() == _WAV_SUFFIX or os.path.exists(path) else None


def source_of(options: TalkOptions, wav: Path | None, screen: Screen, remembered: RememberedDevices) -> Source:
    if wav is not None:
        return WavSource(wav)
    if options.is_typed:
        return SilentSource()
    return Microphone(chosen_device("input", options.input, screen, remembered))


def sink_of(options: TalkOptions, wav: Path | None, screen: Screen, remembered: RememberedDevices) -> Sink:
    if options.output == _NO_OUTPUT or options.is_silent:
        return NullSink()
    if options.output is not None and Path(options.output).suffix.lower() == _WAV_SUFFIX:
        if wav is not None and Path(options.output).resolve() == wav.resolve():
            raise ConfigError(f"{wav} is the input: choose another file for --output")
        return WavSink(options.output)
    try:
        chosen = chosen_device("output", options.output, screen, remembered)
    except AudioDeviceError as exc:
        # Not before: a device's name may hold a slash or a dot.
        if options.output is not None and _is_path(options.output):
            raise ConfigError(f"--output {options.output}: only .wav files are written") from exc
        # A WAV talk needs no loudspeaker. Who speaks gets the answers in writing until there is one, but a name that is
        # nobody's is a mistake, and without PortAudio none will come.
        if options.output is None and wav is not None:
            screen.show_hint(f"no sound will be heard ({exc}); --output FILE.wav keeps it")
            return NullSink()
        if not exc.retryable:
            raise
        chosen = None
    return Speaker(chosen, volume=options.volume)


def hint_of_echo(asked: EchoPolicy, taken: EchoPolicy) -> str | None:
    """What one should know of a choice that one has not made."""
    return _TAKING_TURNS if asked is EchoPolicy.AUTO and taken is EchoPolicy.HALF_DUPLEX else None


def hint_of_noise(session_config: Mapping[str, Any], *, suppressed: bool) -> str | None:
    """What speaks against suppressing noise here, or at the provider (``noise_reduction``), in this session."""
    detection = read_turn_detection(session_config)
    if detection is None or not detection.judges_meaning:
        return None
    return _MEANING_LOST if suppressed or reduces_noise(session_config) else None


def _is_path(name: str) -> bool:
    return bool(_FILE_SUFFIX.fullmatch(Path(name).suffix) or os.path.dirname(name) or os.path.exists(name))
