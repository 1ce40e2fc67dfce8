"""The companion's tools: in which memory modes each is offered, and which route a turn takes that calls it.

Law: this table is the contract, and the code follows it: a tool of one of these names has the modes that stand here,
and none of them runs in a mode that is not its own, whether or not this backend has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from couchvoice.backend.tools.definition import BOTH_MODES
from couchvoice.contract import MemoryMode

CRISIS = "crisis"
GROUNDED_LOOKUP = "grounded_lookup"
MEMORY_CONTROL = "memory_control"
GUIDED_EXERCISE = "guided_exercise"
THERAPEUTIC = "therapeutic"

_PERSISTENT: frozenset[MemoryMode] = frozenset({"persistent"})


class Entry(NamedTuple):
    """``priority``: of the tools that a turn calls, the lowest number gives the route; None: it gives none."""

    modes: frozenset[MemoryMode]
    route: str = THERAPEUTIC
    priority: int | None = None


CATALOGUE: Mapping[str, Entry] = {
    "wait_for_user": Entry(BOTH_MODES),
    "show_memory_status": Entry(BOTH_MODES, MEMORY_CONTROL, 10),
    "show_saved_memory": Entry(_PERSISTENT, MEMORY_CONTROL, 11),
    "recall_saved_memory": Entry(_PERSISTENT, MEMORY_CONTROL, 7),
    "save_response_preference": Entry(_PERSISTENT, MEMORY_CONTROL, 8),
    "set_proactive_memory_recall": Entry(_PERSISTENT, MEMORY_CONTROL, 9),
    "prepare_memory_deletion_by_index": Entry(_PERSISTENT, MEMORY_CONTROL, 5),
    "prepare_memory_deletion_by_query": Entry(_PERSISTENT, MEMORY_CONTROL, 6),
    "confirm_memory_deletion": Entry(_PERSISTENT, MEMORY_CONTROL, 4),
    "cancel_memory_deletion": Entry(_PERSISTENT, MEMORY_CONTROL, 3),
    "load_therapeutic_response_skill": Entry(BOTH_MODES),
    "answer_grounded_lookup": Entry(BOTH_MODES, GROUNDED_LOOKUP, 2),
    "lookup_crisis_resources": Entry(BOTH_MODES, CRISIS, 0),
    "get_crisis_support_template": Entry(BOTH_MODES, CRISIS, 1),
    "list_guided_exercise_skills": Entry(BOTH_MODES, GUIDED_EXERCISE, 12),
    "start_guided_exercise": Entry(BOTH_MODES, GUIDED_EXERCISE, 13),
    "load_guided_exercise_skill": Entry(BOTH_MODES, GUIDED_EXERCISE, 14),
    "record_guided_exercise_progress": Entry(BOTH_MODES, GUIDED_EXERCISE, 15),
}
