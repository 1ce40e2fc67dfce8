"""Layers point down: who may import whom, as the house was drawn.

The arrows are read from the source, lazy imports inside functions included unless the table says otherwise.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "couchvoice"

# Everybody may import these; they import nothing of ours but each other.
GROUND = {
    "addresses",
    "companion_settings",
    "endpoint_settings",
    "errors",
    "guard_settings",
    "log_lines",
    "outside",
    "private",
    "private_files",
    "session_settings",
    "settings",
    "yaml_file",
}
# What a part may import besides itself and the ground; "part.module" names one file of a part.
MAY_IMPORT = {
    "addresses": set(),
    "companion_settings": set(),
    "endpoint_settings": set(),
    "errors": set(),
    "guard_settings": set(),
    "log_lines": set(),
    "outside": set(),
    "private": set(),
    "private_files": set(),
    "session_settings": set(),
    "settings": set(),
    "yaml_file": set(),
    "contract": set(),
    "cassette": set(),
    "web_guards": set(),
    "core": set(),
    "audio": set(),
    "transports": {"core", "audio"},
    "client": {"core", "audio", "transports", "contract"},
    "backend": {"contract", "web_guards", "core.server_events", "core.client_events"},
    "local": {
        "audio",
        "cassette",
        "web_guards",
        "core.server_events",
        "core.client_events",
        "transports.packet_reader",
        "transports.tracks",
        "transports.peer",
        "transports.opus_format",
    },
    "embedded": {"backend", "cassette", "local"},
    "scenario": {"cassette", "core", "audio", "transports", "client", "contract", "embedded"},
    "apps": {"cassette", "core", "audio", "transports", "client", "contract", "embedded", "scenario"},
    "__main__": {"apps"},
    "__init__": {"audio", "client", "contract", "core"},
}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported(path: Path) -> set[str]:
    """What a file imports of ours, as "part" or "part.module"."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: a relative import"
    ours = {name.removeprefix("couchvoice.") for name in names if name.startswith("couchvoice.")}
    return {".".join(name.split(".")[:2]) for name in ours}


def is_allowed(name: str, part: str) -> bool:
    target = name.partition(".")[0]
    if target in GROUND or target == part:
        return True
    # A bare "transports" beside "transports.tracks" is the same import statement.
    named = {allowed for allowed in MAY_IMPORT[part] if allowed.partition(".")[0] == target}
    return any(allowed in (target, name) or name == target for allowed in named)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_lies_below_it(path):
    part = part_of(path)
    forbidden = {name for name in imported(path) if not is_allowed(name, part) and name != "__version__"}
    assert not forbidden, f"{path.relative_to(PACKAGE)} must not import {sorted(forbidden)}"


# The rooms of the local server: what each may import of its neighbours, besides itself.
ROOMS = {
    "protocol": {"resample"},
    "engines": {"protocol", "resample", "detector", "missing", "engine_options"},
    "faults": {"protocol"},
    "replay": {"line", "manners"},
}


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_of_the_local_server_have_doors_one_way(room):
    for path in (PACKAGE / "local" / room).glob("*.py"):
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        modules = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
        rooms = {name.split(".")[2] for name in modules if name.startswith("couchvoice.local.")}
        assert rooms <= {room, *ROOMS[room]}, path


def test_nobody_but_the_http_room_knows_it():
    for path in (PACKAGE / "local").rglob("*.py"):
        if path.parent.name != "http":
            assert "couchvoice.local.http" not in path.read_text(encoding="utf-8"), path


def test_every_part_stands_in_the_table():
    assert {part_of(path) for path in files()} <= MAY_IMPORT.keys()


def test_the_core_knows_neither_io_nor_a_clock():
    forbidden = {"asyncio", "threading", "socket", "time", "httpx", "aiortc", "av", "numpy", "logging"}
    for path in (PACKAGE / "core").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {a.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        modules |= {(n.module or "").partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not modules & forbidden, path


def test_only_settings_reads_the_environment():
    # The detector limits libgomp while the model's library loads: that is the library's only switch.
    excepted = {PACKAGE / "settings.py", PACKAGE / "local" / "detector.py"}
    readers = [path for path in files() if "os.environ" in path.read_text(encoding="utf-8") and path not in excepted]
    assert not readers
