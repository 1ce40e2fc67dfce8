"""Which scenarios a run is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchvoice.errors import ConfigError
from couchvoice.scenario.collect import Shard, collected, shard_of


def write(folder: Path, name: str, text: str = "steps: [mute]") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_all_its_scenarios_but_for_the_parts_of_others(tmp_path: Path) -> None:
    for name in ("b.yaml", "sub/a.yml", "_part.yaml", "_parts/c.yaml", ".hidden/d.yaml", "notes.txt"):
        write(tmp_path, name)
    assert [one.name for one in collected([tmp_path])] == ["b", "a"]
    assert [one.name for one in collected([tmp_path, tmp_path / "b.yaml"])] == ["b", "a"]  # each once
    assert [one.name for one in collected([tmp_path / "_part.yaml"])] == ["_part"]  # named, it is meant


@pytest.mark.row("L7")
def test_two_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: same\nsteps: [mute]")
    write(tmp_path, "b.yaml", "steps: [mute]\nname: same")
    with pytest.raises(ConfigError, match=r'b\.yaml:2:7: "same" is the name of .*a\.yaml:1:7, too'):
        collected([tmp_path])
    write(tmp_path, "b.yaml", "name: one of ${n}\ncases: [{n: 2}, {n: 2}]\nsteps: [mute]")
    with pytest.raises(ConfigError, match='"one of 2" is the name of'):
        collected([tmp_path])


def test_nothing_to_do_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scenarios in"):
        collected([tmp_path])
    with pytest.raises(ConfigError, match="there is no file or folder"):
        collected([tmp_path / "gone"])


@pytest.mark.row("L7")
def test_shards_are_whole_apart_and_stay_as_they_are_when_others_come(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path, f"{number}.yaml")
    parts = [[one.name for one in collected([tmp_path], Shard(index, 3))] for index in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(str(number) for number in range(30))
    assert all(parts)
    write(tmp_path, "another.yaml")
    for index, part in enumerate(parts, 1):
        assert set(part) <= {one.name for one in collected([tmp_path], Shard(index, 3))}


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/3/5", "-1/3", "", "1 / 3"])
def test_a_shard_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write I/N with I from 1 to N"):
        shard_of(text)
