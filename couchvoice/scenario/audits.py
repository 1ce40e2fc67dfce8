"""What the backend's audits have found, as its figures tell it: by kind, and how many turns were looked at.

Law: figures are of a process, not of a talk; whoever wants to know of one talk needs a backend of its own.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from couchvoice.client.endpoints import Endpoints
from couchvoice.transports.http import HttpClient, HttpFailure

METRICS_PATH = "/metrics"
TIMEOUT = 10.0  # seconds
LOOKED_AT = "audited"

_LINE = re.compile(r'^couchvoice_audits_total\{result="(\w+)"\} ([\d.]+)$', re.MULTILINE)


async def audits(ends: Endpoints) -> dict[str, int]:
    """By word; nothing when the backend tells none."""
    async with HttpClient(ends.backend_url, app=ends.backend_app) as http:
        try:
            reply = await http.send("GET", f"{ends.backend_url}{METRICS_PATH}", None, {}, within=TIMEOUT)
        except HttpFailure:
            return {}
    if reply.status != HTTPStatus.OK:
        return {}
    return {word: int(float(number)) for word, number in _LINE.findall(reply.body.decode(errors="replace"))}
