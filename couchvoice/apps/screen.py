"""What a renderer of a talk is, and the words that all of them use.

Law: text from the model or the network is cleaned before it reaches a terminal.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Protocol

from couchvoice.apps.tally import Summary
from couchvoice.core.notices import Notice, Problem, ToolResult
from couchvoice.errors import CouchvoiceError

MAX_OUTPUT = 80  # characters of a tool's output; all of it is in the JSON lines

# Cf: bidi and other invisible marks; Cs: surrogates, which cannot be written.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs"})


class Screen(Protocol):
    """Shows a talk while it goes on."""

    def show(self, notice: Notice) -> None: ...

    def show_hint(self, text: str) -> None:
        """Something that the user should know and that is no error."""

    def show_error(self, error: CouchvoiceError) -> None: ...

    def show_summary(self, summary: Summary) -> None:
        """The last thing."""


def sentence_of_problem(problem: Problem) -> str:
    """With its code, which some messages end with already."""
    return problem.message if problem.code in problem.message else f"{problem.message} ({problem.code})"


def sentence_of_result(result: ToolResult) -> str:
    """The beginning of what the tool said."""
    output = json.dumps(result.output, ensure_ascii=False)
    return f"{result.name}: {output if len(output) <= MAX_OUTPUT else output[:MAX_OUTPUT] + ' …'}"


def clean(text: str) -> str:
    """One line, without control characters, escape sequences' beginnings, and marks that turn it around."""
    # Words that came in several lines could pose as lines of ours.
    joined = " ".join(text.split())
    return "".join(c for c in joined if unicodedata.category(c) not in _UNPRINTABLE)
