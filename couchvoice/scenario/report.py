"""The report of a run: one HTML file that holds everything, with both sounds, and needs no network.

The page draws itself from JSON that stands in it. Law: what models, users and scripts have said is data and never
markup; the page's own policy lets only this style and this script run, and lets nothing out.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from couchvoice.errors import ConfigError
from couchvoice.scenario.talk_record import TalkRecord
from couchvoice.scenario.talk_view import merged_figures, run_view, talk_view

MOST_DETAILED = 40  # talks with a timeline of their own, failures first; a file of more would open slowly

_PAGE = resources.files("couchvoice.scenario") / "page"
_SCRIPTS = ("format.js", "timeline.js", "sound.js", "talk.js", "page.js")
# JSON may stand in a script element as long as nothing in it can end that element.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write_report(path: Path, records: Sequence[TalkRecord]) -> None:
    """Raises ConfigError when it cannot be written."""
    try:
        path.write_text(report_page(records), encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {(exc.strerror or str(exc)).lower()}") from exc


def report_page(records: Sequence[TalkRecord]) -> str:
    """One talk as a timeline; several with a summary before."""
    detailed = _most_telling(records)
    summary = {
        "runs": [run_view(record) | {"detail": detailed.get(number)} for number, record in enumerate(records)],
        "groups": [_group(name, runs) for name, runs in _by_name(records).items()],
        "figures": merged_figures(records),
    }
    data = [_data("summary-data", summary)]
    data += [_data(f"talk-{place}", talk_view(records[number])) for number, place in detailed.items()]
    style, script = _text("page.css"), "\n".join(_text(name) for name in _SCRIPTS)
    title = records[0].name if len(records) == 1 else f"{len(records)} talks"
    return _text("page.html").format(
        policy=_policy(style, script), title=html.escape(title), style=style, script=script, data="\n".join(data)
    )


def _most_telling(records: Sequence[TalkRecord]) -> dict[int, int]:
    """Which talks get a timeline, and which number it has in the page."""
    order = sorted(range(len(records)), key=lambda number: records[number].outcome == "passed")
    return {number: place for place, number in enumerate(sorted(order[:MOST_DETAILED]))}


def _by_name(records: Iterable[TalkRecord]) -> dict[str, list[TalkRecord]]:
    groups: dict[str, list[TalkRecord]] = {}
    for record in records:
        groups.setdefault(record.name, []).append(record)
    return groups


def _group(name: str, runs: Sequence[TalkRecord]) -> dict[str, Any]:
    passed = sum(run.outcome == "passed" for run in runs)
    return {"name": name, "runs": len(runs), "passed": passed, "figures": merged_figures(runs)}


def _data(name: str, view: object) -> str:
    text = msgspec.json.encode(view, enc_hook=str).decode()
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return f'<script type="application/json" id="{name}">{text}</script>'


def _policy(style: str, script: str) -> str:
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}; media-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
