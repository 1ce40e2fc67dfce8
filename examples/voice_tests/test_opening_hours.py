"""The agent looks hours up before it names any, and can be interrupted."""

import pytest

SATURDAY = "When are you open on Saturday?"


def test_hours_are_looked_up(conversation):
    conversation.say(SATURDAY)
    reply = conversation.reply()
    assert reply.user == SATURDAY
    assert reply.tools == ["opening_hours"]
    assert reply.calls[0].arguments == {"day": "saturday"}
    assert reply.text == "Let me look. On saturday we are open from ten to two."
    assert reply.response_ms < 1500


def test_a_second_question_is_understood_in_bad_weather(conversation):
    conversation.say(SATURDAY)
    conversation.reply()
    conversation.weather("mobile")
    conversation.say("And on Sunday, please?")
    conversation.expect(
        assistant={"contains": "closed"}, tools=[{"name": "opening_hours", "arguments": {"day": "sunday"}}]
    )


def test_who_speaks_over_the_rules_is_heard(conversation):
    conversation.say("Please read me your house rules.")
    conversation.interrupt("Thank you, that is enough.", after_ms=1500)
    reply = conversation.reply()
    assert reply.interrupted
    assert reply.stop_ms < 200
    assert "welcome" in reply.text


@pytest.mark.couchvoice(faults={"opening_hours": "error"})
def test_hours_that_cannot_be_looked_up_are_not_made_up(conversation):
    conversation.say(SATURDAY)
    assert "ten" not in conversation.reply().text
