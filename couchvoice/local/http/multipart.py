"""The parts of a ``multipart/form-data`` body, as the openai package sends an offer with its session.

Law: names and bytes only; a part is never looked into, so that nesting costs nothing.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser

from couchvoice.local.protocol.bad_event import BadEvent

FORM = "multipart/form-data"

_LINE_END = b"\r\n"


def read_form(content_type: str, body: bytes) -> dict[str, bytes]:
    """What stands in each part. Raises BadEvent."""
    boundary = _parameter(_header("Content-Type", content_type), "boundary", of="Content-Type")
    parts: dict[str, bytes] = {}
    if boundary:
        # RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary.
        pieces = (_LINE_END + body).split(_LINE_END + b"--" + boundary.encode("latin-1", "replace"))
        for piece in pieces[1:-1]:
            head, _, content = piece.partition(_LINE_END * 2)
            name = _parameter(BytesHeaderParser().parsebytes(head.lstrip()), "name", of="Content-Disposition")
            parts |= {name: content} if name else {}
    if not parts:
        raise BadEvent("invalid_form", "We could not parse this as multipart/form-data.")
    return parts


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value
    return message


def _parameter(message: Message, name: str, *, of: str) -> str | None:
    value = message.get_param(name, header=of)
    return value if isinstance(value, str) else None  # a tuple is RFC 2231's way, which nobody uses here
