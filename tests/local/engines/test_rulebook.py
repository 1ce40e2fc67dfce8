"""A mistake in a file of rules is found when it is read, with its line."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from couchvoice.errors import ConfigError
from couchvoice.local.engines.rulebook import normalised, read_rules
from tests.local.speech import FIXTURES

RULE = "rules:\n- heard: [is memory on]\n"

BROKEN = {
    "no rules at all": ("", "there is nothing in it"),
    "no list of rules": ("tools: {}\n", "line 1: no rules"),
    "not YAML": ("rules:\n- heard: [a\n", "line 3: "),
    "a control character": ("rules: \x01\n", "not allowed"),
    "an unknown key": (RULE + "  sya: Yes.\n", "line 3: unknown key 'sya': a rule has heard, say, call, known, told"),
    "an unknown key of the file": (RULE + "  say: Yes.\nrule: x\n", "line 4: unknown key 'rule'"),
    "a rule without an answer": (RULE, "line 2: a rule needs heard, and say or call"),
    "a rule without what is heard": ("rules:\n- say: Yes.\n", "line 2: a rule needs heard"),
    "heard is no list": ("rules:\n- heard: hello\n  say: Yes.\n", "line 2: heard: expected a list"),
    "a phrase without words": ("rules:\n- heard: ['?!']\n  say: Yes.\n", "line 2: a phrase without words"),
    "a phrase twice": (RULE + "  say: A.\n- heard: ['Is memory on?']\n  say: B.\n", "line 4: .* by the rule at line 2"),
    "a bad regex": ("rules:\n- heard:\n  - ok\n  - /(/\n  say: Yes.\n", "line 4: not a regular expression"),
    "calls are no mapping": (RULE + "  call: lookup\n", "line 3: expected keys and values"),
    "a key twice": (RULE + "  say: A.\n  say: B.\n", "line 4: 'say' is there twice"),
    "a sentence that is a list": (RULE + "  say: [a]\n", "line 3: expected a text"),
    "a tool that says nothing": (
        RULE + "  say: A.\ntools:\n  x:\n    then: [{when: {a: 1}}]\n",
        "line 6: a sentence needs say",
    ),
    "a tool that is called after itself": (
        RULE
        + "  say: A.\ntools:\n  x:\n    then: [{say: A, call: {y: {}}}]\n  y:\n    then: [{say: B, call: {x: {}}}]\n",
        "line 6: x is called after itself",
    ),
    "known is no mapping": (RULE + "  say: A.\n  known: words\n", "line 4: expected keys and values"),
    "told is no regex": (RULE + "  say: A.\n  told: words\n", "line 4: told: expected a /regular expression/"),
    "told is a bad regex": (RULE + "  say: A.\n  told: /(/\n", "line 4: not a regular expression"),
    "a loop": (RULE + "  call: {x: &a {b: *a}}\n", "nested too deeply"),
}

# What a schema cannot say, but the reader does.
BEYOND_THE_SCHEMA = {
    "a phrase without words",
    "a phrase twice",
    "a bad regex",
    "told is a bad regex",
    "a tool that is called after itself",
}
SHIPPED = Path(str(files("couchvoice.local.engines"))) / "replies.yaml"
NO_YAML = {"not YAML", "a control character", "a key twice", "a loop"}


def published() -> jsonschema.Draft202012Validator:
    schema = json.loads(files("couchvoice.local.engines").joinpath("rules.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    text, expected = BROKEN[mistake]
    with pytest.raises(ConfigError, match=rf"rules\.yaml.*{expected}"):
        read_rules(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        read_rules(tmp_path / "none.yaml")


def test_words_that_YAML_takes_for_something_else_stay_words(tmp_path: Path) -> None:
    book = read_rules(written(tmp_path, "rules:\n- heard: [no, on, 12, null]\n  say: yes\n"))
    assert book.rules[0].phrases == ("no", "on", "12", "null")
    assert book.rules[0].say == "yes"


def test_arguments_are_as_in_JSON(tmp_path: Path) -> None:
    arguments = "{index: 1, enabled: true, share: 0.5, note: null, quote: 'true', words: [a, NaN, yes], more: {a: b}}"
    book = read_rules(written(tmp_path, RULE + f"  call: {{tool: {arguments}}}\n"))
    assert book.rules[0].calls["tool"] == {
        "index": 1,
        "enabled": True,
        "share": 0.5,
        "note": None,
        "quote": "true",
        "words": ["a", "NaN", "yes"],
        "more": {"a": "b"},
    }


@pytest.mark.parametrize("text", ["Is memory on?", "is  memory - ON", " is memory on!"])
def test_case_and_punctuation_do_not_matter(text: str) -> None:
    assert normalised(text) == "is memory on"


def test_an_apostrophe_joins() -> None:
    assert normalised("What's that?") == normalised("What’s that") == "whats that"  # noqa: RUF001


@pytest.mark.parametrize("path", [SHIPPED, FIXTURES / "replies-de.yaml"], ids=lambda path: path.stem)
def test_the_published_schema_takes_our_own_files(path: Path) -> None:
    assert read_rules(path).silence
    published().validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("mistake", sorted(BROKEN.keys() - NO_YAML))
def test_the_published_schema_finds_the_mistakes_that_the_reader_finds(mistake: str) -> None:
    valid = published().is_valid(yaml.safe_load(BROKEN[mistake][0]))
    assert valid == (mistake in BEYOND_THE_SCHEMA)


def test_the_last_words_are_read(tmp_path: Path) -> None:
    book = read_rules(written(tmp_path, RULE + '  say: A.\notherwise: What?\nsilence: ""\n'))
    assert (book.otherwise, book.silence) == ("What?", "")
    assert read_rules(written(tmp_path, RULE + "  say: A.\n")).silence is None
