"""The conversation: the items of a session, in order, as the API shows them.

Law: an item's place is what ``previous_item_id`` says; the texts of truncated items are gone (OpenAI: "truncating …
will delete the server-side text transcript").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ItemDict = dict[str, Any]

ROOT = "root"  # OpenAI: previous_item_id "root" puts an item at the beginning


class Conversation:
    def __init__(self) -> None:
        self._items: list[ItemDict] = []

    def __iter__(self) -> Iterator[ItemDict]:
        return iter(self._items)

    def find(self, item_id: object) -> ItemDict | None:
        return next((item for item in self._items if item["id"] == item_id), None)

    def add(self, item: ItemDict, after: str | None = None) -> str | None:
        """Put an item at the end, or behind another. Returns the id of the item before it."""
        place = len(self._items)
        if after == ROOT:
            place = 0
        elif after is not None:
            place = next((n + 1 for n, other in enumerate(self._items) if other["id"] == after), place)
        self._items.insert(place, item)
        return str(self._items[place - 1]["id"]) if place else None

    def remove(self, item: ItemDict) -> None:
        self._items.remove(item)

    def call(self, call_id: object) -> ItemDict | None:
        """The function call that an output answers."""
        return next((i for i in self._items if i["type"] == "function_call" and i["call_id"] == call_id), None)

    def unanswered_outputs(self) -> list[ItemDict]:
        """The outputs at the end of the conversation: what the next answer is about, if there are any."""
        outputs: list[ItemDict] = []
        for item in reversed(self._items):
            if item["type"] == "function_call_output":
                outputs.insert(0, item)
            elif item["type"] != "function_call":
                break
        return outputs

    def unanswered_messages(self) -> list[ItemDict]:
        """The user's messages since the assistant's last one."""
        messages: list[ItemDict] = []
        for item in reversed(self._items):
            if item["type"] != "message" or item["role"] == "assistant":
                break
            if item["role"] == "user":
                messages.insert(0, item)
        return messages


def text_of(item: ItemDict) -> str | None:
    """The words of a message; None when one of its parts has not been transcribed."""
    texts = [part.get("text", part.get("transcript")) for part in item["content"] if part["type"] != "input_image"]
    return None if any(text is None for text in texts) else " ".join(filter(None, texts))
