"""The tools that this backend has by itself, in the order in which the model sees them."""

from couchvoice.backend.tools.answer_grounded_lookup import answer_grounded_lookup
from couchvoice.backend.tools.lookup_crisis_resources import lookup_crisis_resources
from couchvoice.backend.tools.show_memory_status import show_memory_status
from couchvoice.backend.tools.wait_for_user import wait_for_user

STANDARD_TOOLS = (wait_for_user, show_memory_status, answer_grounded_lookup, lookup_crisis_resources)
