"""The tools that this backend has by itself, in the order in which the model sees them."""

from couchvoice.backend.tools.answer_grounded_lookup import answer_grounded_lookup
from couchvoice.backend.tools.get_crisis_support_template import get_crisis_support_template
from couchvoice.backend.tools.list_guided_exercise_skills import list_guided_exercise_skills
from couchvoice.backend.tools.load_guided_exercise_skill import load_guided_exercise_skill
from couchvoice.backend.tools.load_therapeutic_response_skill import load_therapeutic_response_skill
from couchvoice.backend.tools.lookup_crisis_resources import lookup_crisis_resources
from couchvoice.backend.tools.memory_deletion import (
    cancel_memory_deletion,
    confirm_memory_deletion,
    prepare_memory_deletion_by_index,
    prepare_memory_deletion_by_query,
)
from couchvoice.backend.tools.memory_preferences import save_response_preference, set_proactive_memory_recall
from couchvoice.backend.tools.record_guided_exercise_progress import record_guided_exercise_progress
from couchvoice.backend.tools.saved_memory import recall_saved_memory, show_saved_memory
from couchvoice.backend.tools.show_memory_status import show_memory_status
from couchvoice.backend.tools.start_guided_exercise import start_guided_exercise
from couchvoice.backend.tools.wait_for_user import wait_for_user

STANDARD_TOOLS = (
    wait_for_user,
    show_memory_status,
    show_saved_memory,
    recall_saved_memory,
    save_response_preference,
    set_proactive_memory_recall,
    prepare_memory_deletion_by_index,
    prepare_memory_deletion_by_query,
    confirm_memory_deletion,
    cancel_memory_deletion,
    answer_grounded_lookup,
    lookup_crisis_resources,
    get_crisis_support_template,
    load_therapeutic_response_skill,
    list_guided_exercise_skills,
    start_guided_exercise,
    load_guided_exercise_skill,
    record_guided_exercise_progress,
)
