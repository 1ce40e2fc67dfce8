"""Where a setting comes from: the command line, else the environment, else the file, else the default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from couchvoice.errors import ConfigError
from couchvoice.guard_settings import GuardSettings
from couchvoice.private import Private
from couchvoice.session_settings import SessionSettings
from couchvoice.settings import Settings, load_settings


def load(
    options: dict[str, str | Path | None] | None = None, environ: dict[str, str] | None = None, file: Path | None = None
) -> Settings:
    return load_settings(options, environ=environ or {}, file=file or Path(os.devnull))


def test_without_anything_the_defaults_hold():
    settings = load()
    assert (settings.backend_url, settings.realtime_url, settings.provider, settings.token) == (None,) * 4
    assert settings.log == "warning"
    assert settings.state_dir.name == "couchvoice"
    assert settings.database == f"sqlite+aiosqlite:///{settings.state_dir / 'backend.db'}"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text('backend_url = "f"\nrealtime_url = "f"\nlog = "error"\n', encoding="utf-8")
    environ = {"COUCHVOICE_BACKEND_URL": "e", "COUCHVOICE_REALTIME_URL": "e"}
    settings = load({"backend_url": "o", "provider": None}, environ, file)
    assert (settings.backend_url, settings.realtime_url, settings.log) == ("o", "e", "error")


def test_an_empty_variable_is_none(tmp_path: Path):
    settings = load(environ={"COUCHVOICE_BACKEND_URL": "", "COUCHVOICE_STATE_DIR": "", "OPENAI_API_KEY": ""})
    assert (settings.backend_url, settings.openai_api_key) == (None, None)
    assert settings.state_dir.name == "couchvoice"


def test_every_variable_has_its_setting(tmp_path: Path):
    environ = {
        "COUCHVOICE_BACKEND_URL": "https://b",
        "COUCHVOICE_REALTIME_URL": "https://r",
        "COUCHVOICE_PROVIDER": "openai",
        "COUCHVOICE_TOKEN": "t",
        "COUCHVOICE_STATE_DIR": str(tmp_path),
        "COUCHVOICE_DATABASE_URL": "sqlite+aiosqlite:///x.db",
        "COUCHVOICE_LOG": "debug",
        "OPENAI_API_KEY": "sk",
        "COUCHVOICE_AUTH": "jwt",
        "COUCHVOICE_JWT_KEY": "k",
        "COUCHVOICE_JWKS_URL": "https://i/keys",
        "COUCHVOICE_JWT_ALGORITHM": "ES256",
        "COUCHVOICE_JWT_AUDIENCE": "a",
        "COUCHVOICE_JWT_ISSUER": "https://i",
        "COUCHVOICE_ADMIN_TOKEN": "op",
        "COUCHVOICE_ALLOW_ORIGIN": "https://o https://p",
        "COUCHVOICE_ALLOW_HOST": "h",
        "COUCHVOICE_SESSION_RATE": "5",
        "COUCHVOICE_TOOL_RATE": "7",
        "COUCHVOICE_MODEL": "m",
        "COUCHVOICE_VOICE": "cedar",
        "COUCHVOICE_SPEED": "1",
        "COUCHVOICE_LANGUAGE": "de",
        "COUCHVOICE_TRANSCRIPTION_MODEL": "none",
        "COUCHVOICE_TURN_DETECTION": "semantic_vad",
        "COUCHVOICE_VAD_THRESHOLD": "0.25",
        "COUCHVOICE_VAD_SENSITIVITY": "40",
        "COUCHVOICE_PREFIX_PADDING_MS": "200",
        "COUCHVOICE_SILENCE_DURATION_MS": "700",
        "COUCHVOICE_IDLE_TIMEOUT_MS": "6000",
        "COUCHVOICE_EAGERNESS": "low",
        "COUCHVOICE_CREATE_RESPONSE": "False",
        "COUCHVOICE_INTERRUPT_RESPONSE": "false",
    }
    assert load(environ=environ) == Settings(
        backend_url="https://b",
        realtime_url="https://r",
        provider="openai",
        token=Private("t"),
        state_dir=tmp_path,
        database_url="sqlite+aiosqlite:///x.db",
        log="debug",
        openai_api_key=Private("sk"),
        guard=GuardSettings(
            auth="jwt",
            jwt_key=Private("k"),
            jwks_url="https://i/keys",
            jwt_algorithm="ES256",
            jwt_audience="a",
            jwt_issuer="https://i",
            admin_token=Private("op"),
            allow_origin="https://o https://p",
            allow_host="h",
            session_rate=5,
            tool_rate=7,
        ),
        session=SessionSettings(
            model="m",
            voice="cedar",
            speed=1.0,
            language="de",
            transcription_model="none",
            turn_detection="semantic_vad",
            vad_threshold=0.25,
            vad_sensitivity=40,
            prefix_padding_ms=200,
            silence_duration_ms=700,
            idle_timeout_ms=6000,
            eagerness="low",
            create_response=False,
            interrupt_response=False,
        ),
    )


@pytest.mark.row("D2")
def test_a_session_is_set_in_the_file_too_with_numbers_and_switches_as_they_are(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text(
        'language = "de"\nspeed = 1\nvad_threshold = 0.25\nsilence_duration_ms = 700\ninterrupt_response = false\n',
        encoding="utf-8",
    )
    wanted = SessionSettings(
        language="de", speed=1.0, vad_threshold=0.25, silence_duration_ms=650, interrupt_response=False
    )
    loaded = load(environ={"COUCHVOICE_SILENCE_DURATION_MS": "650"}, file=file).session
    assert loaded == wanted
    assert type(loaded.speed) is float
    assert load({"silence_duration_ms": 650}, file=file).session == wanted


@pytest.mark.row("D2")
@pytest.mark.parametrize(
    ("variable", "text", "wanted"),
    [
        ("COUCHVOICE_VAD_THRESHOLD", "loud", "a number"),
        ("COUCHVOICE_SILENCE_DURATION_MS", "500.5", "a whole number"),
        ("COUCHVOICE_SILENCE_DURATION_MS", "9" * 5000, "a whole number"),
        ("COUCHVOICE_INTERRUPT_RESPONSE", "maybe", "true or false"),
    ],
)
def test_text_that_is_no_number_or_no_switch_is_refused_by_its_variable(variable: str, text: str, wanted: str):
    with pytest.raises(ConfigError, match=f'^{variable} must be {wanted}, not "{text}"$'):
        load(environ={variable: text})


def test_secrets_are_wrapped_as_they_are_read():
    settings = load(environ={"COUCHVOICE_TOKEN": "token-1", "OPENAI_API_KEY": "sk-1"})
    assert "token-1" not in repr(settings)
    assert "sk-1" not in repr(settings)


def test_the_file_is_where_the_environment_says(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text('log = "info"\n', encoding="utf-8")
    assert load_settings(environ={"COUCHVOICE_CONFIG": str(file)}).log == "info"


def test_a_file_that_is_named_must_be_there(tmp_path: Path):
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=f"no settings file {missing}"):
        load_settings(environ={"COUCHVOICE_CONFIG": str(missing)})


def test_the_default_file_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_settings(environ={}).log == "warning"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"log = ", "cannot read the settings file"),
        (b"\xff\xfe", "cannot read the settings file"),
        (b'colour = "red"\n', "unknown setting 'colour'"),
        (b'openai_api_key = "sk"\n', "unknown setting 'openai_api_key'"),
        (b"log = 5\n", "setting 'log' in"),
        (b'[log]\nlevel = "x"\n', "must be a string, not dict"),
        (b"vad_sensitivity = true\n", "must be a whole number, not bool"),
        (b"vad_sensitivity = 50.0\n", "must be a whole number, not float"),
        (b"create_response = 1\n", "must be true or false, not int"),
        (b"vad_threshold = [0.5]\n", "must be a number, not list"),
        (b"speed = 1" + b"0" * 400 + b"\n", "must be a number, not int"),
        (b'provider = "somebody"\n', 'unknown provider "somebody": choose one of local, openai'),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: bytes, part: str):
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=part.replace("[", r"\[")):
        load(file=file)


def test_a_directory_is_no_file(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read the settings file"):
        load(file=tmp_path)


def test_a_home_that_nobody_has_is_refused():
    with pytest.raises(ConfigError, match="does not know"):
        load(environ={"COUCHVOICE_STATE_DIR": "~nobody-of-this-name/x"})


def test_an_unknown_provider_is_refused_wherever_it_comes_from():
    with pytest.raises(ConfigError, match="unknown provider"):
        load(environ={"COUCHVOICE_PROVIDER": "azur"})
    with pytest.raises(ConfigError, match="unknown provider"):
        load({"provider": "OpenAI"})


def test_a_key_in_the_environment_selects_no_provider():
    assert load(environ={"OPENAI_API_KEY": "sk"}).provider is None
