"""The two ends as a script wants them: those that the settings name, else embedded ones of its own.

Law: an embedded end keeps what it keeps in the conversation's own folder; a script that says how an end is to be has
one that is embedded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from couchvoice.cassette import Cassette
from couchvoice.client.endpoints import Endpoints
from couchvoice.errors import ConfigError
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.speech import Speech
from couchvoice.settings import Settings, with_changes


class ScriptedEnds:
    """``settings`` are those that count. Raises ConfigError."""

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        speech: Speech,
        folder: Path,
        *,
        tools: Sequence[Any] = (),
        replay: Cassette | None = None,
    ) -> None:
        self.settings = _own_settings(scenario, settings, folder)
        self._scenario = scenario
        self._speech = speech
        self._folder = folder
        self._tools = tools
        # One for the whole talk: after a restart the next take is on.
        self._deck = _deck_of(replay)

    def require_embedded(self) -> None:
        """Raises ConfigError."""
        if self.settings.backend_url is not None:
            raise ConfigError(f"the backend {self.settings.backend_url} is not started here: it cannot be restarted")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Endpoints]:
        """Whatever is embedded runs until the context is left, and may run again with what it has kept."""
        settings = self.settings
        if settings.backend_url is not None:
            yield Endpoints(
                backend_url=settings.backend_url,
                realtime_url=settings.realtime_url,
                provider=settings.provider,
                token=settings.token,
            )
            return
        from couchvoice.embedded import ServerOptions, embedded_ends

        script = self._scenario.script
        async with embedded_ends(
            settings,
            recordings=self._speech.recordings,
            # They cost a process; who knows all that will be said needs none.
            phrases=bool(self._speech.unknown),
            replies=Path(script.replies) if script.replies is not None else None,
            tools=self._tools,
            server=ServerOptions(faults=_faults_file(self._scenario, self._folder)),
            now=_time_of_day(),
            replay=self._deck,
        ) as ends:
            yield Endpoints(**ends._asdict(), provider=settings.provider)


def _time_of_day() -> Callable[[], datetime]:
    """As the loop counts it: on the media clock twenty minutes of silence are over in a moment."""
    clock = asyncio.get_running_loop().time
    began, at = datetime.now(UTC), clock()
    return lambda: began + timedelta(seconds=clock() - at)


def _deck_of(replay: Cassette | None) -> Any:
    if replay is None:
        return None
    from couchvoice.embedded import new_deck

    return new_deck(replay)


def _own_settings(scenario: Scenario, settings: Settings, folder: Path) -> Settings:
    script = scenario.script
    if settings.backend_url is not None:
        for field in ("session", "replies", "provider_faults"):
            if getattr(script, field):
                scenario.refuse(f"$.{field}", f"{field} is for the embedded ends, not for {settings.backend_url}")
        return settings
    try:
        changed = with_changes(settings, script.session)
    except ConfigError as exc:
        scenario.refuse("$.session", str(exc))
    return replace(changed, state_dir=folder / "state", database_url=None)


def _faults_file(scenario: Scenario, folder: Path) -> Path | None:
    calls = scenario.script.provider_faults
    if not calls:
        return None
    path = folder / "provider-faults.yaml"
    path.write_text(json.dumps({"calls": calls}), encoding="utf-8")  # JSON is YAML, too
    return path
