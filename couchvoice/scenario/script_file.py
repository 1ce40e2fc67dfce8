"""A file of a scripted conversation, read: includes taken in, variables filled in, a table of cases spread out.

script.py has what may stand in it. Law: a mistake is a ConfigError with file, line and column; a file's name is
relative to the file in which it is written.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

from couchvoice.errors import ConfigError
from couchvoice.scenario import script
from couchvoice.scenario.place import Place, by_column
from couchvoice.scenario.scenario import WHOLE, Scenario
from couchvoice.scenario.script import WAV, Script
from couchvoice.scenario.script_check import check_script
from couchvoice.yaml_file import YamlFile

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_WHERE = re.compile(r"(.*) - at `(?:key in )?(\$[^`]*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_DEEPEST = 20  # files that include one another

_STEP = r"\$\.steps\[\d+\]"
# Fields that name a file, by their whole paths: an argument of a tool may be called so, too.
_NAMES_FILE = re.compile(rf"\$\.(replies|include|recordings)|{_STEP}\.(include|say\.wav|interrupt\.say\.wav)")
_SPOKEN = re.compile(rf"{_STEP}\.(say|interrupt\.say)")  # or does if it ends so


def read_scenarios(path: Path) -> list[Scenario]:
    """One for each row of the file's cases, or just one. Raises ConfigError."""
    try:
        return list(_scenarios(path))
    except RecursionError as exc:  # an alias of what it stands in
        raise ConfigError(f"{path}: nested too deeply") from exc


def _scenarios(path: Path) -> Iterator[Scenario]:
    part = _Part(path)
    rows = part.rows()
    for number, row in enumerate(rows or [{}], 1):
        draft = _Draft({**part.variables, **row})
        value = draft.whole(part)
        parsed = draft.converted(value, part)
        name = parsed.name or path.stem
        if rows and not part.names_vary:
            name = f"{name} [{row.get('name', number)}]"
        scenario = Scenario(name=name, file=path, script=parsed, places=draft.places)
        check_script(scenario)
        yield scenario


class _Part:
    """One file, with those that it includes as a whole."""

    def __init__(self, path: Path, within: tuple[Path, ...] = ()) -> None:
        self.path = path
        self.file = YamlFile(path, place=by_column)
        self.root = self.file.root()
        self.fields: dict[str, tuple[_Part, yaml.Node]] = {}
        self.variables: dict[str, Any] = {}
        self._within = (*within, path.resolve())
        own = {name: (self, node) for name, node in self.file.pairs(self.root)}
        if "include" in own:
            for node in self._listed(own.pop("include")[1]):
                other = self.other(node)
                self.fields = {**other.fields, **self.fields}
                self.variables = {**other.variables, **self.variables}
        self.fields |= own
        if "vars" in own:
            self.variables |= self._values(own["vars"][1])

    @property
    def names_vary(self) -> bool:
        """The name tells the cases apart by itself."""
        part, node = self.fields.get("name", (self, None))
        return node is not None and _VARIABLE.search(part.file.text(node)) is not None

    def rows(self) -> list[dict[str, Any]]:
        if "cases" not in self.fields:
            return []
        part, node = self.fields["cases"]
        return [part._values(row) for row in part.file.items(node)]

    def other(self, node: yaml.Node) -> _Part:
        """The file that is named here."""
        path = self.path.parent / self.file.text(node)
        if path.resolve() in self._within or len(self._within) >= _DEEPEST:
            self.file.fail(node, f"{path} includes itself")
        if not path.is_file():
            self.file.fail(node, f"there is no file {path}")
        return _Part(path, self._within)

    def place(self, node: yaml.Node) -> Place:
        return Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)

    def _listed(self, node: yaml.Node) -> list[yaml.Node]:
        return self.file.items(node) if isinstance(node, yaml.SequenceNode) else [node]

    def _values(self, node: yaml.Node) -> dict[str, Any]:
        return {name: self.file.value(value) for name, value in self.file.pairs(node)}


class _Draft:
    """A script that is being made of nodes, with the variables of one case."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.places: dict[str, Place] = {}
        self._variables = variables
        self._keys: dict[str, Place] = {}

    def whole(self, part: _Part) -> dict[str, Any]:
        self.places[WHOLE] = part.place(part.root)
        value = {}
        for name, (owner, node) in part.fields.items():
            if name not in ("vars", "cases"):
                value[name] = self._field(owner, name, node, WHOLE)
        return value

    def converted(self, value: dict[str, Any], part: _Part) -> Script:
        try:
            return msgspec.convert(value, Script)
        except msgspec.ValidationError as exc:
            self._refuse(str(exc), part)

    def _field(self, part: _Part, name: str, node: yaml.Node, path: str) -> Any:
        own = f"{path}.{name}"
        self._keys[own] = part.place(node)
        if own == f"{WHOLE}.steps" and isinstance(node, yaml.SequenceNode):
            self.places[own] = part.place(node)
            steps: list[Any] = []
            self._add_steps(part, node, steps)
            return steps
        value = self._value(part, node, own)
        if _NAMES_FILE.fullmatch(own):
            return _located(value, part.path.parent, always=True)
        return _located(value, part.path.parent, always=False) if _SPOKEN.fullmatch(own) else value

    def _add_steps(self, part: _Part, node: yaml.Node, steps: list[Any]) -> None:
        for item in part.file.items(node):
            if (named := _included(item)) is None:
                steps.append(self._value(part, item, f"$.steps[{len(steps)}]"))
                continue
            other = part.other(named)
            if "steps" not in other.fields:
                part.file.fail(named, f"{other.path} has no steps")
            outer, self._variables = self._variables, {**other.variables, **self._variables}
            self._add_steps(*other.fields["steps"], steps)
            self._variables = outer

    def _value(self, part: _Part, node: yaml.Node, path: str) -> Any:
        self.places[path] = part.place(node)
        match node:
            case yaml.MappingNode():
                return {name: self._field(part, name, value, path) for name, value in part.file.pairs(node)}
            case yaml.SequenceNode():
                return [self._value(part, item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        return self._scalar(part, node)

    def _scalar(self, part: _Part, node: yaml.Node) -> Any:
        text = part.file.text(node)
        if not _VARIABLE.search(text):
            return part.file.value(node)

        def known(found: re.Match[str]) -> Any:
            if found[1] not in self._variables:
                names = ", ".join(sorted(self._variables)) or "none"
                part.file.fail(node, f"unknown variable {found[1]!r}: known are {names}")
            return self._variables[found[1]]

        if whole := _VARIABLE.fullmatch(text):
            return known(whole)
        return _VARIABLE.sub(lambda found: str(known(found)), text)

    def _refuse(self, problem: str, part: _Part) -> NoReturn:
        where = _WHERE.fullmatch(problem)
        what, path = (where[1], where[2]) if where else (problem, WHOLE)
        path = path.partition("[...]")[0]
        place = self.places.get(path) or part.place(part.root)
        if unknown := _UNKNOWN.fullmatch(what):
            place = self._keys.get(f"{path}.{unknown[1]}", place)
            what = f"unknown key {unknown[1]!r}{_meant(unknown[1])}"
        elif missing := _MISSING.fullmatch(what):
            what = f"no {missing[1]}"
        elif path != WHOLE:
            what = f"{path.removeprefix('$.')}: {what[0].lower()}{what[1:]}"
        raise ConfigError(f"{place}: {what}")


def _included(node: yaml.Node) -> yaml.Node | None:
    """The name of the file of a step that is only ``include: FILE``."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        if key.value == "include":
            return value  # type: ignore[no-any-return]  # yaml's nodes have no types
    return None


def _located(value: Any, folder: Path, *, always: bool) -> Any:
    if isinstance(value, list):
        return [_located(item, folder, always=always) for item in value]
    if isinstance(value, str) and (always or value.lower().endswith(WAV)):
        return str(folder / value)
    return value


def _meant(name: str) -> str:
    parts = [kind for kind in vars(script).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    known = {field for part in parts for field in part.__struct_fields__}
    if name in known:
        return ", which stands elsewhere in a script"
    close = difflib.get_close_matches(name, known, n=1)
    return f": do you mean {close[0]!r}?" if close else ""
