"""The conversation knows the order of its items, what was heard in them, and what is to be answered."""

from __future__ import annotations

from couchvoice.local.protocol.conversation import ROOT, Conversation, ItemDict


def message(item_id: str, role: str = "user", **part: str) -> ItemDict:
    return {"id": item_id, "type": "message", "role": role, "content": [{"type": "input_text", **part}]}


def output(item_id: str) -> ItemDict:
    return {"id": item_id, "type": "function_call_output", "call_id": f"call_{item_id}", "output": "{}"}


def call(item_id: str) -> ItemDict:
    return {"id": item_id, "type": "function_call", "call_id": f"call_{item_id}", "name": "t", "arguments": "{}"}


def conversation(*items: ItemDict) -> Conversation:
    made = Conversation("key")
    for item in items:
        made.add(item)
    return made


def ids(items: object) -> list[str]:
    return [item["id"] for item in items]  # type: ignore[attr-defined]


def test_each_item_knows_the_one_before_it() -> None:
    made = Conversation("key")
    first, second, front = message("a"), message("b"), message("c")
    assert made.add(first) is None
    assert made.add(second) == "a"
    assert made.add(front, after=ROOT) is None
    assert made.previous(first) == "c"
    assert made.add(message("d"), after="c") == "c"
    assert ids(made) == ["c", "d", "a", "b"]
    made.remove(front)
    assert made.previous(front) is None


def test_new_ids_step_round_those_that_are_taken() -> None:
    made = conversation(message("item_key_1"), message("item_key_2"))
    assert made.new_id() == "item_key_3"
    assert made.new_id() == "item_key_4"


def test_words_that_are_awaited_are_unknown_until_they_are_heard() -> None:
    made = conversation(message("a"))
    item = made.find("a")
    assert item is not None
    made.await_words(item)
    assert made.words(item) is None
    assert made.hear("a", "hello") is item
    assert made.words(item) == "hello"
    made.remove(item)
    assert made.hear("a", "hello") is None


def test_a_written_message_has_the_words_of_its_parts() -> None:
    item = message("a", text="one")
    item["content"] += [{"type": "input_audio", "transcript": "two"}, {"type": "input_image"}]
    assert Conversation("key").words(item) == "one two"


def test_the_users_messages_since_the_last_answer_are_unanswered() -> None:
    made = conversation(message("a"), message("b", "assistant"), message("c"), message("d", "system"), message("e"))
    assert ids(made.unanswered_messages()) == ["c", "e"]
    assert made.unanswered_outputs() == []


def test_the_outputs_at_the_end_are_unanswered() -> None:
    made = conversation(output("old"), message("a", "assistant"), call("b"), call("c"), output("b2"), output("c2"))
    assert ids(made.unanswered_outputs()) == ["b2", "c2"]
    assert made.unanswered_messages() == []
    made.add(message("d"))
    assert made.unanswered_outputs() == []
    assert ids(made.unanswered_messages()) == ["d"]


def test_an_output_leads_to_its_call() -> None:
    made = conversation(call("a"), call("b"))
    assert made.call("call_b") is made.find("b")
    assert made.call("call_c") is None
