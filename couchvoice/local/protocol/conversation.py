"""The conversation: the items of a session, in order, as the API shows them, and what was heard in them.

Law: an item's place is what ``previous_item_id`` says; the texts of truncated items are gone (OpenAI: "truncating …
will delete the server-side text transcript"). What the model heard is not the transcript: that is only made on demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ItemDict = dict[str, Any]

ROOT = "root"  # OpenAI: previous_item_id "root" puts an item at the beginning


class Conversation:
    """``key`` makes the ids of two calls differ."""

    def __init__(self, key: str) -> None:
        self.id = f"conv_{key}"
        self._key = key
        self._count = 0
        self._items: list[ItemDict] = []
        self._heard: dict[str, str | None] = {}  # words of committed input; None: not recognized yet
        self._written: dict[str, str] = {}  # what stands beside such sound
        self._audio_ms: dict[str, int] = {}  # length of the assistant's messages
        self._truncated: set[str] = set()

    def __iter__(self) -> Iterator[ItemDict]:
        return iter(self._items)

    def new_id(self) -> str:
        """An id that no item has, whatever ids the client has given away."""
        while True:
            self._count += 1
            item_id = f"item_{self._key}_{self._count}"
            if self.find(item_id) is None:
                return item_id

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
        return self._before(place)

    def previous(self, item: ItemDict) -> str | None:
        """The id of the item before this one; None when it is the first, or gone."""
        place = next((n for n, other in enumerate(self._items) if other is item), 0)
        return self._before(place)

    def remove(self, item: ItemDict) -> None:
        self._items.remove(item)
        self._heard.pop(item["id"], None)
        self._written.pop(item["id"], None)
        self._audio_ms.pop(item["id"], None)
        self._truncated.discard(item["id"])

    # What was heard

    def await_words(self, item: ItemDict) -> None:
        """The item holds sound whose words are not known yet."""
        self._heard[item["id"]] = None
        self._written[item["id"]] = " ".join(part["text"] for part in item["content"] if "text" in part)

    def hear(self, item_id: str, words: str) -> ItemDict | None:
        """The item in which these words were heard; None when it is gone."""
        if item_id not in self._heard:
            return None
        self._heard[item_id] = f"{self._written[item_id]} {words}".strip()
        return self.find(item_id)

    def words(self, item: ItemDict) -> str | None:
        """What the user says in a message; None when it is not known yet."""
        if item["id"] in self._heard:
            return self._heard[item["id"]]
        return " ".join(filter(None, (part.get("text", part.get("transcript")) for part in item["content"])))

    def as_heard(self) -> Iterator[ItemDict]:
        """The items, with the words of what the user said, even where no transcript was asked for."""
        return map(self.heard_item, self._items)

    def heard_item(self, item: ItemDict) -> ItemDict:
        words = self._heard.get(item["id"])
        return item if words is None else item | {"content": [{"type": "input_audio", "transcript": words}]}

    # How long it sounds

    def audio_ms(self, item: ItemDict) -> int:
        return self._audio_ms.get(item["id"], 0)

    def lengthen(self, item: ItemDict, ms: int) -> None:
        """So much more of it is made; an item that is gone, or was truncated, gets no longer."""
        if not self.is_truncated(item) and self.find(item["id"]) is not None:
            self._audio_ms[item["id"]] = self.audio_ms(item) + ms

    def truncate(self, item: ItemDict, audio_end_ms: int) -> None:
        """Forget what comes later in the item, and all of its transcript, whatever is still made of it."""
        for part in item["content"]:
            if part["type"] == "output_audio":
                part["transcript"] = ""
        self._audio_ms[item["id"]] = audio_end_ms
        self._truncated.add(item["id"])

    def is_truncated(self, item: ItemDict) -> bool:
        return item["id"] in self._truncated

    # What is to be answered

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

    def _before(self, place: int) -> str | None:
        return str(self._items[place - 1]["id"]) if place else None
