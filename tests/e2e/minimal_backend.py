"""A four-endpoint backend with the minimal OpenCouch replies and nothing of ours, on the standard library only.

It keeps every request for the test to read, and fails as it is told to. No provider is behind it: the secret
is the one that the foreign Realtime end expects. Law: it shares no code with couchvoice.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Endpoint = Literal["session", "tools", "turn", "end"]
Reply = tuple[int, dict[str, Any]]

PREFIX = "/api/voice/realtime/"
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "session": ("thread_id",),
    "tools": ("thread_id", "tool_name"),
    "turn": ("thread_id",),
    "end": ("thread_id",),
}
SESSION_CONFIG = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "audio": {
        "input": {
            "transcription": {"model": "gpt-transcribe"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"voice": "marin"},
    },
    "tool_choice": "auto",
    "tools": [],
    "instructions": "Answer in one sentence.",
}
TOOL_OUTPUTS: Mapping[str, dict[str, Any]] = {
    "wait_for_user": {"response_text": "", "should_respond": False, "side_effect": "none"},
}


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. ``at`` is monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float

    @property
    def endpoint(self) -> str:
        return self.path.removeprefix(PREFIX)


@dataclass(slots=True)
class Fault:
    """How an endpoint fails: ``times`` requests in a row (None: all of them)."""

    status: int = 500
    body: str = '{"detail": {"code": "fault", "message": "told to fail"}}'
    content_type: str = "application/json"
    drop: bool = False  # close the connection instead of answering
    times: int | None = None


@dataclass
class MinimalBackend:
    """``with MinimalBackend(secret="ek_…") as backend``: ``backend.url`` is what a client is given."""

    secret: str
    port: int = 0
    faults: dict[Endpoint, Fault] = field(default_factory=dict)
    delays: dict[Endpoint, float] = field(default_factory=dict)  # seconds before the reply
    requests: list[Request] = field(default_factory=list)
    _messages: dict[str, int] = field(default_factory=dict)  # by thread
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> MinimalBackend:
        backend = self

        class Connection(_Connection):
            owner = backend

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, name="minimal-backend")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def to(self, endpoint: Endpoint) -> list[Any]:
        """The bodies that this endpoint got, in order."""
        return [request.body for request in self.requests if request.endpoint == endpoint]

    def order(self) -> list[str]:
        """The endpoints in the order in which they were called."""
        return [request.endpoint for request in self.requests]

    def receive(self, request: Request) -> Fault | Reply:
        """Record the request; the fault that is due, or the reply."""
        endpoint = request.endpoint
        with self._lock:
            self.requests.append(request)
            fault = self.faults.get(endpoint)  # type: ignore[call-overload]  # an unknown name has no fault
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    del self.faults[endpoint]  # type: ignore[arg-type]  # it was found above
        self._stopping.wait(self.delays.get(endpoint, 0.0))  # type: ignore[call-overload]
        return fault or self._reply(endpoint, request)

    def _reply(self, endpoint: str, request: Request) -> Reply:
        body = request.body
        if request.method != "POST" or endpoint not in REQUIRED:
            return 404, {"detail": "Not Found"}
        missing = [name for name in REQUIRED[endpoint] if not isinstance(body, dict) or name not in body]
        if missing:
            return 422, {
                "detail": [{"type": "missing", "loc": ["body", name], "msg": "Field required"} for name in missing]
            }
        mode = body.get("memory_mode", "incognito")
        owner = {"thread_id": body["thread_id"], "user_id": body.get("user_id"), "memory_mode": mode}
        match endpoint:
            case "session":
                return 200, {"client_secret": self.secret, "session_config": SESSION_CONFIG, **owner}
            case "tools":
                name = body["tool_name"]
                return 200, {"output": dict(TOOL_OUTPUTS.get(name, {"response_text": f"{name} was run"}))}
            case "turn":
                return 200, self._record(body["thread_id"], durable=mode == "persistent")
            case _:
                return 200, {"finalized": mode == "persistent", "summary": None, "detail": "Nothing to sum up."}

    def _record(self, thread_id: str, *, durable: bool) -> dict[str, Any]:
        with self._lock:
            count = self._messages.get(thread_id, 0) + (2 if durable else 0)
            self._messages[thread_id] = count
        return {"recorded": durable, "thread_id": thread_id, "message_count": count}


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds: an idle keep-alive connection ends by itself
    owner: MinimalBackend

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        text = self.rfile.read(length)
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        request = Request(self.command, self.path, dict(self.headers.items()), body, time.monotonic())
        match self.owner.receive(request):
            case Fault(drop=True):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            case Fault() as fault:
                self._answer(fault.status, fault.content_type, fault.body.encode())
            case (status, reply):
                self._answer(status, "application/json", json.dumps(reply).encode())

    do_GET = do_POST
    do_PATCH = do_POST
    do_DELETE = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test reads ``requests``."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the standard input ends or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", required=True, help="the client secret that /session hands out")
    options = parser.parse_args()
    with MinimalBackend(secret=options.secret, port=options.port) as backend:
        sys.stdout.write(f"ready {backend.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
