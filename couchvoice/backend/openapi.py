"""The OpenAPI document of the backend, as JSON and nothing else: pages that show it load scripts from elsewhere.

Law: it says of every operation what it needs, an example of it, and every error that may come, in its one shape.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

import couchvoice
from couchvoice.backend.error_codes import ERROR_CODES
from couchvoice.backend.guard import ADMIN_PREFIX, PUBLIC_PATHS
from couchvoice.contract import (
    CONFIG_PATH,
    END_PATH,
    MEMORY_RECALL_PATH,
    SESSION_PATH,
    TOOLS_PATH,
    TURN_PATH,
    ErrorBody,
)

_BEARER, _OPERATOR = "bearer", "operator"
_INVALID = "422"  # FastAPI describes its own shape
_ERROR = {"$ref": "#/components/schemas/ErrorBody"}
# What may be answered to any request.
_ERRORS = {
    "400": "The body or a header cannot be read.",
    "401": "No token, or none that is good.",
    "403": "Not with this token, not in this mode, or not from this page.",
    "404": "There is no such thing, or it is another's.",
    "408": "The body did not come in time.",
    "409": "It contradicts what was done before.",
    "413": "The body is too large.",
    "415": "The body is packed.",
    "421": "The server is not called by this name.",
    "422": "The request does not say what it must.",
    "429": "Too much within a minute; Retry-After says when to come back.",
    "500": "The backend failed; its log says where.",
    "502": "The provider answered with an error.",
    "503": "It cannot be done now.",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    SESSION_PATH: {"thread_id": "evening-talk", "memory_mode": "incognito", "assistant_voice": "sage"},
    TOOLS_PATH: {"thread_id": "evening-talk", "tool_name": "show_memory_status", "arguments": {}, "call_id": "call_1"},
    TURN_PATH: {
        "thread_id": "evening-talk",
        "user_text": "What can you do?",
        "assistant_text": "I can listen.",
        "client_turn_id": "3f2a",
        "outcome": "completed",
    },
    END_PATH: {"thread_id": "evening-talk", "feedback": "positive"},
    CONFIG_PATH: {"thread_id": "evening-talk", "voice": "cedar"},
    MEMORY_RECALL_PATH: {"enabled": True},
}


def install_openapi(app: FastAPI) -> None:
    """Let this app describe itself so."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI: "override the openapi() method"


def operation_id(route: APIRoute) -> str:
    """FastAPI's own takes a slash for a dash, and two paths for one."""
    return ".".join([*sorted(method.lower() for method in route.methods or ()), *route.path.strip("/").split("/")])


def _document(app: FastAPI) -> dict[str, Any]:
    codes = "\n".join(f"- `{code}`: {meaning}" for code, meaning in sorted(ERROR_CODES.items()))
    document = get_openapi(
        title="couchvoice backend",
        version=couchvoice.__version__,
        description=f"Sessions, tools, turns and threads of a voice. Codes of errors:\n\n{codes}",
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's shape, which is not ours
        schemas.pop(unused, None)
    shape = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**shape.pop("$defs"), "ErrorBody": shape}
    document["components"]["securitySchemes"] = {
        _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        _OPERATOR: {"type": "http", "scheme": "bearer", "description": "COUCHVOICE_ADMIN_TOKEN"},
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    error = {"application/json": {"schema": _ERROR}}
    for status, text in _ERRORS.items():
        if status == _INVALID or status not in operation["responses"]:
            operation["responses"][status] = {"description": text, "content": error}
    if path.startswith(ADMIN_PREFIX):
        operation["security"] = [{_OPERATOR: []}]
    elif path not in PUBLIC_PATHS:
        operation["security"] = [{_BEARER: []}, {}]  # with authentication off, none
    if path in EXAMPLES:
        operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[path]
