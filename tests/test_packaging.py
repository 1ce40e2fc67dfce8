"""The distributions: what is in them, and that an installed wheel holds a talk from anywhere."""

import asyncio
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = (
    "couchvoice/apps/first-talk.wav",
    "couchvoice/apps/first-talk.txt",
    "couchvoice/backend/crisis/resources.yaml",
    "couchvoice/backend/exercises/catalogue.yaml",
    "couchvoice/backend/modes/shipped/companion.yaml",
    "couchvoice/backend/skills/approaches/cbt.md",
    "couchvoice/backend/skills/styles/supportive.md",
    "couchvoice/backend/migrations/env.py",
    "couchvoice/local/engines/replies.yaml",
    "couchvoice/py.typed",
    "couchvoice/scenario/script.schema.json",
    "couchvoice/scenario/shipped/speech/hello-8k-mono.wav",
    "couchvoice/scenario/shipped/t02-hello.yaml",
    "couchvoice/scenario/page/page.html",
    "couchvoice/scenario/page/timeline.js",
)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist, built without the network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True
    )
    return folder


def test_the_wheel_carries_its_data_and_nothing_but_the_package(distributions):
    (wheel,) = distributions.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert set(DATA) <= set(names)
    assert {name.partition("/")[0] for name in names} == {"couchvoice", "couchvoice-0.1.0.dist-info"}


def test_the_sdist_carries_the_tests_and_no_npm_packages(distributions):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert any(name.endswith("tests/test_packaging.py") for name in names)
    assert not any("node_modules" in name for name in names)


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory) -> Path:
    """A folder with the wheel installed. Its dependencies are those of this interpreter."""
    (wheel,) = distributions.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site, wheel]
    subprocess.run(pip, check=True, capture_output=True)
    return site


@pytest.mark.timeout(120)
@pytest.mark.row("P8")
def test_an_installed_wheel_brings_its_pytest_plugin(installed, tmp_path):
    (tmp_path / "test_talk.py").write_text(
        "import couchvoice\n\n"
        "def test_talk(conversation):\n"
        f"    assert couchvoice.__file__.startswith({str(installed)!r})\n"
        "    conversation.say('Hello, can you hear me?')\n"
        "    assert 'hear you well' in conversation.reply().text\n"
    )
    # The folder in front of the path hides this checkout; other plugins have warnings of their own.
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "couchvoice", "-W", "error"]
    done = subprocess.run(pytest_, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(120)
@pytest.mark.row("P21")
async def test_an_installed_wheel_plays_the_demo_from_another_folder(installed, tmp_path):
    async def couchvoice(*arguments: str) -> tuple[int, str]:
        # The folder in front of the path hides this checkout.
        script = (
            f"import sys; sys.path.insert(0, {str(installed)!r}); import couchvoice; "
            f"assert couchvoice.__file__.startswith({str(installed)!r}); "
            "from couchvoice.apps.cli import main; main()"
        )
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        return process.returncode, printed.decode()

    assert await couchvoice("--version") == (0, "couchvoice 0.1.0\n")
    status, printed = await couchvoice("talk", "--demo", "--output", "none", "--memory", "persistent", "--json")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert status == 0
    assert [line["tool_calls"] for line in lines if line["type"] == "turn"] == [[], ["show_memory_status"], []]
    assert (lines[-1]["recorded"], lines[-1]["finalized"]) == (3, True)
