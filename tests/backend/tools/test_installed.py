"""Tools of other packages: found by their entry points, offered to the model, and named when they are broken."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from couchvoice.backend.tools import installed_tools
from couchvoice.contract import TOOLS_PATH
from couchvoice.embedded import embedded_ends
from couchvoice.errors import ConfigError
from couchvoice.settings import Settings

TOOLS = '''
from couchvoice.backend import tool
from couchvoice.backend.tools.standard import wait_for_user as somebody_elses

@tool
async def dim_lights(percent: int) -> str:
    """Dim the lights."""
    return f"The lights are at {percent} percent."

@tool
async def open_blinds() -> str:
    """Open the blinds."""
    return "They are open."
'''


def install(where: Path, monkeypatch: pytest.MonkeyPatch, points: str, module: str = TOOLS) -> None:
    """As pip leaves a package: a module, and what its metadata say."""
    (where / "home_of_the_test.py").write_text(module)
    metadata = where / "home_of_the_test-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: home-of-the-test\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[couchvoice.tools]\n{points}\n")
    monkeypatch.syspath_prepend(where)
    monkeypatch.delitem(sys.modules, "home_of_the_test", raising=False)


def names() -> list[str]:
    return [tool.name for tool in installed_tools()]


@pytest.mark.row("F8")
def test_an_entry_point_names_one_tool_or_a_module_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert names() == []
    points = "a = home_of_the_test:open_blinds\nb = home_of_the_test:dim_lights\nc = home_of_the_test:open_blinds"
    install(tmp_path, monkeypatch, points)
    assert names() == ["open_blinds", "dim_lights"]


@pytest.mark.row("F8")
async def test_an_installed_module_gives_its_own_tools_and_they_are_the_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(tmp_path, monkeypatch, "home = home_of_the_test")
    assert names() == ["dim_lights", "open_blinds"]
    async with embedded_ends(Settings(state_dir=tmp_path, realtime_url="http://127.0.0.1:1/v1")) as ends:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(ends.backend_app), base_url=ends.backend_url)
        async with http:
            body = {"thread_id": "t1", "tool_name": "dim_lights", "arguments": {"percent": 20}}
            reply = await http.post(TOOLS_PATH, json=body)
    assert reply.json()["output"]["response_text"] == "The lights are at 20 percent."


@pytest.mark.parametrize(
    ("points", "module", "said"),
    [
        ("a = home_of_the_test:missing", TOOLS, "cannot be loaded"),
        ("a = home_of_the_test", "raise ZeroDivisionError('oh no')", "cannot be loaded: oh no"),
        ("a = home_of_the_test", "nothing = None", "hold no tool"),
        ("a = home_of_the_test:TOOLS", "TOOLS = 'none'", "hold no tool"),
    ],
)
def test_a_broken_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, module: str, said: str
):
    install(tmp_path, monkeypatch, points, module)
    with pytest.raises(ConfigError) as caught:
        installed_tools()
    assert "a of home-of-the-test (home_of_the_test" in str(caught.value)
    assert said in str(caught.value)


async def test_a_name_that_the_backend_has_already_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = TOOLS.replace("dim_lights", "wait_for_user")
    install(tmp_path, monkeypatch, "a = home_of_the_test", module)
    with pytest.raises(ConfigError, match="two tools wait_for_user"):
        async with embedded_ends(Settings(state_dir=tmp_path, realtime_url="http://127.0.0.1:1/v1")):
            raise AssertionError("it must not start")
