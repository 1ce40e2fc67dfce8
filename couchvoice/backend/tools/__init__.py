"""The tools that the model may call: one file each, gathered here in the order in which the model sees them."""

from couchvoice.backend.tools.lookup_crisis_resources import LOOKUP_CRISIS_RESOURCES
from couchvoice.backend.tools.registry import Tool, ToolArguments, ToolContext, ToolRegistry
from couchvoice.backend.tools.show_memory_status import SHOW_MEMORY_STATUS
from couchvoice.backend.tools.wait_for_user import WAIT_FOR_USER

__all__ = ["STANDARD_TOOLS", "Tool", "ToolArguments", "ToolContext", "ToolRegistry"]

STANDARD_TOOLS = (WAIT_FOR_USER, SHOW_MEMORY_STATUS, LOOKUP_CRISIS_RESOURCES)
