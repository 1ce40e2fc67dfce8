"""What a file of a scripted conversation says, and how its mistakes are told."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from couchvoice.errors import ConfigError
from couchvoice.scenario.script import Say, Step
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.scenario.script_schema import script_schema
from couchvoice.yaml_file import YamlFile

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "fixtures"
PACKAGED = ROOT / "couchvoice" / "scenario" / "script.schema.json"

WHOLE = """
name: a bit of everything
memory: persistent
session: {silence_duration_ms: 400}
faults: {show_memory_status: slow, session: {fault: error, status: 503}}
slo: {connect_ms: 1500, response_ms: 1500}
steps:
  - say: Hello, can you hear me?
  - say: {text: Quietly., voice: alloy, gain_db: -20}
  - silence: 300
  - type: Is memory on?
  - mute
  - unmute
  - interrupt: {after_ms: 400, say: Stop, that is enough.}
  - wait: answer
  - wait: {until: quiet, within: 5}
  - wait: 20
  - faults: {show_memory_status: null}
  - expect:
      user: Is memory on?
      assistant: {contains: [memory, on], lacks: off, matches: on.*}
      tools: [show_memory_status, {name: wait_for_user, arguments: {}, status: completed, before: yes}]
      no_tools: [answer_grounded_lookup]
      turn: {outcome: completed, recorded: true, tool_calls: [show_memory_status]}
      within: {response_ms: 900}
  - hang_up
  - connect
expect: {turns: 2, audio: true, problems: []}
""".replace("say: Stop, that is enough.}", 'say: "Stop, that is enough."}')


@pytest.fixture
def read(tmp_path):
    def read(text: str, name: str = "talk.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_scenarios(path)

    return read


def steps(scenario) -> list:
    return scenario.script.steps


@pytest.mark.row("L7")
def test_a_script_is_read_whole(read):
    (scenario,) = read(WHOLE)
    assert scenario.name == "a bit of everything"
    assert [step if isinstance(step, str) else step.verbs[0] for step in steps(scenario)] == [
        *["say", "say", "silence", "type", "mute", "unmute", "interrupt", "wait", "wait", "wait", "faults", "expect"],
        *["hang_up", "connect"],
    ]
    assert [say.text for _, say in scenario.sayings()] == [
        "Hello, can you hear me?",
        "Quietly.",
        "Stop, that is enough.",
    ]
    assert steps(scenario)[11].expect.tools[1].before == "yes"  # a word, not a boolean


def test_a_name_is_the_files_unless_it_has_one(read):
    assert read("steps: [mute]", "hello.yaml")[0].name == "hello"


def test_files_are_named_relative_to_the_file_that_names_them(tmp_path, read):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "_greet.yaml").write_text("replies: rules.yaml\nsteps: [{type: hi}]")
    (tmp_path / "parts" / "rules.yaml").write_text("rules: []")
    (scenario,) = read("include: parts/_greet.yaml\nsteps: [mute]")
    assert scenario.script.replies == str(tmp_path / "parts" / "rules.yaml")
    assert steps(scenario) == ["mute"]  # its own win
    assert scenario.files() >= {tmp_path / "talk.yaml", tmp_path / "parts" / "rules.yaml"}


def test_steps_of_another_file_take_the_place_of_the_step_that_names_it(tmp_path, read):
    (tmp_path / "_greet.yaml").write_text("vars: {word: hi, name: you}\nsteps: [{type: '${word} ${name}'}, unmute]")
    (scenario,) = read("vars: {name: Ada}\nsteps:\n  - mute\n  - include: _greet.yaml\n  - mute")
    assert steps(scenario) == ["mute", Step(type="hi Ada"), "unmute", "mute"]
    assert str(scenario.place("$.steps[1].type")).endswith("_greet.yaml:2:16")
    assert str(scenario.place("$.steps[3]")).endswith("talk.yaml:5:5")


def test_each_row_of_a_table_is_a_scenario(read):
    table = "cases: [{ms: 10, name: short}, {ms: 20}]\nsteps: [{silence: '${ms}'}]"
    assert [(one.name, steps(one)[0].silence) for one in read(table)] == [("talk [short]", 10), ("talk [2]", 20)]
    named = "name: for ${ms} ms\n" + table
    assert [one.name for one in read(named)] == ["for 10 ms", "for 20 ms"]


def test_what_ends_like_a_wav_is_one_and_all_else_is_words(tmp_path, read):
    for name in ("one.wav", "two.WAV"):
        (tmp_path / name).write_bytes((FIXTURES / "barge-in.wav").read_bytes())
    (scenario,) = read("steps: [{say: one.wav}, {say: {wav: two.WAV}}, {say: a wav}]")
    folder = str(tmp_path)
    assert [say for _, say in scenario.sayings()] == [
        Say(wav=f"{folder}/one.wav"),
        Say(wav=f"{folder}/two.WAV"),
        Say(text="a wav"),
    ]


@pytest.mark.row("L7")
@pytest.mark.parametrize(
    ("text", "line_and_column", "problem"),
    [
        ("steps:\n  - sya: x", "2:10", "unknown key 'sya': do you mean 'say'?"),
        ("steps: [mute]\nmemmory: x", "2:10", "unknown key 'memmory': do you mean 'memory'?"),
        ("steps:\n  - mute: 3", "2:11", "unknown key 'mute'"),
        ("steps:\n  - faults: {end: {error: 500}}", "2:13", "unknown key 'error', which stands elsewhere in a script"),
        ("steps:\n  - {say: x, type: y}", "2:5", "a step is one of say, .* this one has say and type"),
        ("steps:\n  - {}", "2:5", "this one has none"),
        ("steps:\n  - wait: never", "2:11", "invalid enum value 'never'"),
        ("steps:\n  - wait: {within: 3}", "2:11", "wait either until something, or some ms"),
        ("steps:\n  - silence: -1", "2:14", "silence: expected `float` >= 0"),
        ("steps:\n  - silence: long", "2:14", "silence: expected `float"),
        ("steps:\n  - expect: {tools: [{nam: x}]}", "2:28", "unknown key 'nam': do you mean 'name'?"),
        ("steps:\n  - expect:\n      user: {matches: '('}", "3:13", "not a regular expression"),
        ("steps:\n  - faults: {tool: {fault: sloow}}", "2:13", "invalid enum value 'sloow'"),
        ("steps:\n  - say: gone.wav", "2:10", "cannot play .*gone.wav: no such file or directory"),
        ("steps:\n  - say: {wav: gone.wav}", "2:10", "cannot play .*gone.wav"),
        ("steps:\n  - say: {text: a, wav: b}", "2:10", "say either a wav or a text"),
        ("steps: [mute]\nrecordings: [gone.wav]", "2:14", "cannot play"),
        ("steps: [mute]\nreplies: gone.yaml", "2:10", "there is no file .*gone.yaml"),
        ("steps:\n  - type: '${nobody}'", "2:11", "unknown variable 'nobody': known are none"),
        ("steps:\n  - include: gone.yaml", "2:14", "there is no file .*gone.yaml"),
        ("steps:\n  - include: talk.yaml", "2:14", "includes itself"),
        ("include: talk.yaml\nsteps: [mute]", "1:10", "includes itself"),
        ("weather: storm\nsteps: [mute]", "1:10", 'no weather is called "storm": there are clear, '),
        ("steps:\n  - weather: {los: 0.1}", "2:14", 'weather has no figure "los"'),
        ("steps:\n  - weather: {loss: much}", "2:14", 'weather: loss is a number, not "much"'),
        ("steps:\n  - weather: {loss: 2}", "2:14", "loss"),
        ("steps:\n  - weather: {bursts: {begin: 1}}", "2:14", "bursts has a begin and an end"),
        ("steps:\n  - weather: {direction: left}", "2:14", 'weather goes both, up, down, not "left"'),
        ("steps:\n  - weather: {seed: x}", "2:14", "the seed of weather is a whole number"),
        ("steps: [mute]\nsession: {silnce: 1}", "2:10", "unknown setting 'silnce'"),
        ("steps: [mute]\nsession: {speed: fast}", "2:10", 'speed must be a number, not "fast"'),
        ("provider_faults: [{statuss: 500}]\nsteps: [mute]", "1:18", "no 'statuss'"),
        ("provider_faults: [{status: 200}]\nsteps: [mute]", "1:18", "expected one of 401"),
        ("steps:\n  - say: {text: Hi., voice: nobody}", "2:29", 'unknown voice "nobody": choose one of alloy'),
        ("language: '??'\nsteps: [mute]", "1:11", "no code of a language: write en, de"),
        ("steps: []", "1:8", "expected a list"),
        ("name: x", "1:1", "no steps"),
        ("steps: [mute", "1:13", "expected ',' or ']'"),
        ("- mute", "1:1", "expected keys and values"),
        ("steps: [mute]\nsteps: [mute]", "2:1", "'steps' is there twice"),
    ],
)
def test_a_mistake_is_told_with_its_place(read, text, line_and_column, problem):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert re.search(rf"talk\.yaml:{line_and_column}: .*({problem})", str(caught.value)), caught.value


def test_a_wav_of_a_wrong_rate_is_told_with_its_place(tmp_path, read):
    (tmp_path / "low.wav").write_bytes((FIXTURES / "bad" / "rate-4000.wav").read_bytes())
    with pytest.raises(ConfigError, match=r"talk\.yaml:1:15: cannot play .*low\.wav: its rate is 4000 Hz, not 8000 to"):
        read("steps: [{say: low.wav}]")


@pytest.mark.parametrize("text", ["", "steps: &a\n  - *a", "&a [*a]"])
def test_a_file_with_nothing_or_too_much_in_it_is_refused(read, text):
    with pytest.raises(ConfigError, match=r"talk\.yaml.*(there is nothing in it|nested too deeply|expected keys)"):
        read(text)


def as_an_editor_reads(folder: Path, text: str) -> object:
    """YAML 1.2: ``on`` is a word."""
    path = folder / "read.yaml"
    path.write_text(text)
    file = YamlFile(path)
    return file.value(file.root())


@pytest.mark.row("L7")
def test_the_schema_of_the_package_is_that_of_the_program_and_takes_the_same(tmp_path):
    shipped = PACKAGED.read_text(encoding="utf-8")
    assert json.loads(shipped) == script_schema()
    validator = jsonschema.Draft202012Validator(script_schema())
    assert not list(validator.iter_errors(as_an_editor_reads(tmp_path, WHOLE)))
    for wrong in ("steps: [{sya: x}]", "steps: []", "steps: [{say: a, type: b}]", "steps: [mute]\nfoo: 1"):
        assert list(validator.iter_errors(as_an_editor_reads(tmp_path, wrong))), wrong


def test_an_argument_of_a_tool_is_no_file_whatever_it_is_called(read):
    arguments = {
        "wav": "a",
        "replies": "b",
        "include": "c",
        "recordings": ["d"],
        "say": "e.wav",
        "steps": [{"include": "f"}],
    }
    (scenario,) = read(f"steps: [{{expect: {{tools: [{{name: x, arguments: {json.dumps(arguments)}}}]}}}}]")
    assert scenario.script.steps[0].expect.tools[0].arguments == arguments
