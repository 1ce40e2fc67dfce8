"""``couchvoice config show``: every setting, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from couchvoice.apps.config_commands import shown_settings
from couchvoice.settings import _ENVIRONMENT, _KEYS, load_settings
from tests.apps.command import run

CANARY = "sk-CANARY-0123456789"


@pytest.mark.row("C11")
def test_no_secret_is_shown_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f"""
api_key_command = "echo {CANARY}"
token = "{CANARY}"
[endpoints.eu]
provider = "openai"
base_url = "https://eu.example/v1"
api_key_command = ["print", "{CANARY}"]
""",
        encoding="utf-8",
    )
    environ = {_ENVIRONMENT[name]: CANARY for name in _KEYS} | {
        "COUCHVOICE_DATABASE_URL": f"postgresql+asyncpg://ada:{CANARY}/@:@db.example/x?password={CANARY}",
        "COUCHVOICE_PROVIDER": "azure",
        "COUCHVOICE_ENDPOINT_AZURE_API_KEY": CANARY,
    }
    shown = shown_settings(load_settings(environ=environ, file=file))
    assert CANARY not in str(shown)
    assert shown["openai_api_key"] == f"…({len(CANARY)} chars)"
    assert shown["api_key_command"] == "echo …(1 more words)"
    assert shown["endpoints.eu.base_url"] == "https://eu.example/v1"
    assert str(shown["database_url"]).startswith("postgresql+asyncpg://ada:…@db.example/x")


def test_every_setting_is_shown_by_the_name_that_the_file_has_for_it() -> None:
    shown = shown_settings(load_settings(environ={}, file=Path(os.devnull)))
    assert shown.keys() >= _ENVIRONMENT.keys()
    assert shown["voice"] == "marin"
    assert shown["provider"] is None


@pytest.mark.row("C11")
async def test_the_command_prints_them() -> None:
    ended = await run("config", "show", environment={"OPENAI_API_KEY": CANARY})
    assert ended.status == 0
    assert "model = gpt-realtime-2.1\n" in ended.stdout
    assert CANARY not in ended.stdout + ended.stderr
