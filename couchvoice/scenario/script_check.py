"""Whether what a script asks for can be: its files, its voices, its weather, its settings, its faults.

Law: what can be known before a talk is told before it, with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from couchvoice.audio.wav import WavSource
from couchvoice.contract import VOICES, is_language
from couchvoice.errors import ConfigError
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Say, Step
from couchvoice.scenario.scripted_weather import scripted_weather
from couchvoice.settings import Settings, with_changes


def check_script(scenario: Scenario) -> None:
    """Raises ConfigError."""
    script = scenario.script
    for path, say in scenario.sayings():
        _check_saying(scenario, path, say)
    for index, wav in enumerate(script.recordings):
        _check_wav(scenario, f"$.recordings[{index}]", wav)
    if script.replies is not None and not Path(script.replies).is_file():
        scenario.refuse("$.replies", f"there is no file {script.replies}")
    if script.language is not None and not is_language(script.language):
        scenario.refuse("$.language", f'"{script.language}" is no code of a language: write en, de, pt-BR, or auto')
    _check_weather(scenario)
    with _at(scenario, "$.session"):
        with_changes(Settings(state_dir=Path()), script.session)
    if script.provider_faults:
        from couchvoice.embedded import check_provider_faults

        with _at(scenario, "$.provider_faults"):
            check_provider_faults(script.provider_faults)


def _check_saying(scenario: Scenario, path: str, say: Say) -> None:
    if say.wav is not None:
        _check_wav(scenario, path, say.wav)
    if say.voice not in VOICES:
        scenario.refuse(f"{path}.voice", f'unknown voice "{say.voice}": choose one of {", ".join(VOICES)}')


def _check_wav(scenario: Scenario, path: str, wav: str) -> None:
    with _at(scenario, path):
        WavSource(wav)


def _check_weather(scenario: Scenario) -> None:
    written = [("$.weather", scenario.script.weather)]
    written += [(f"{path}.weather", step.weather) for path, step in scenario.steps() if isinstance(step, Step)]
    for path, weather in written:
        if weather is not None:
            with _at(scenario, path):
                scripted_weather(weather)


@contextmanager
def _at(scenario: Scenario, path: str) -> Iterator[None]:
    """Whatever is refused stands there."""
    try:
        yield
    except ConfigError as exc:
        scenario.refuse(path, str(exc))
