"""Serves the page beside it on a port of its own, and mints the client secrets that it calls with.

couchvoice serve realtime
python examples/browser/serve.py http://127.0.0.1:8766/v1

The API key stays in this process. It comes from REALTIME_API_KEY; the local server takes any.
"""

import json
import os
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

REALTIME = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8766/v1"
KEY = os.environ.get("REALTIME_API_KEY", "any")
SESSION = {
    "type": "realtime",
    "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}},
    "tools": [{"type": "function", "name": "show_memory_status", "parameters": {"type": "object", "properties": {}}}],
}


class Page(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/token":
            self.send_token()
        else:
            super().do_GET()

    def send_token(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        minted = httpx.post(f"{REALTIME}/realtime/client_secrets", json={"session": SESSION}, headers=headers)
        token = {"calls": f"{REALTIME}/realtime/calls", "secret": minted.raise_for_status().json()["value"]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(token).encode())


handler = partial(Page, directory=Path(__file__).parent)
with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, suppress(KeyboardInterrupt):
    print(f"open http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
