"""The file of faults: which call goes wrong in which way, in the order in which calls come.

    calls:
      - status: 500                   the first call is refused
      - delay_ms: 200                 the second is slow and loses events
        drop: [response.done, rate_limits.*]
      - {}                            with the third nothing is wrong
    then: repeat                      further calls are as the last one; else nothing is wrong with them

Law: a mistake in the file is found when it is read, with its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from couchvoice.local.faults.faults import BadFault, Faults, faults_from
from couchvoice.yaml_file import YamlFile

REPEAT = "repeat"


class FaultScript:
    """``afterwards`` is for the calls after those of the list."""

    def __init__(self, calls: Sequence[Faults], *, afterwards: Faults) -> None:
        self._calls = iter(tuple(calls))
        self._afterwards = afterwards

    @classmethod
    def load(cls, path: Path) -> FaultScript:
        """Raises ConfigError that names the file and the line."""
        file = YamlFile(path)
        root = file.root()
        fields = file.fields(root, "the file", known=("calls", "then"))
        if "calls" not in fields:
            file.fail(root, "no calls")
        calls = [_faults(file, item) for item in file.items(fields["calls"])]
        if "then" not in fields:
            return cls(calls, afterwards=Faults())
        if file.text(fields["then"]) != REPEAT:
            file.fail(fields["then"], f"then can only be {REPEAT}")
        return cls(calls, afterwards=calls[-1])

    def next(self) -> Faults:
        """The faults of the call that comes now."""
        return next(self._calls, self._afterwards)


def _faults(file: YamlFile, node: yaml.Node) -> Faults:
    together = Faults()
    for name, value in file.pairs(node):
        try:
            together = faults_from([(name, _text(file, value))]).over(together)
        except BadFault as bad:
            file.fail(value, str(bad))
    return together


def _text(file: YamlFile, node: yaml.Node) -> str:
    """Lists are those of event types."""
    if isinstance(node, yaml.SequenceNode):
        return "|".join(file.text(item) for item in file.items(node))
    return file.text(node)
