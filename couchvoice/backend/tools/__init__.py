"""The tools that the model may call: what a tool is, which there are, and how they run."""

from couchvoice.backend.tools.definition import Tool, ToolContext, tool
from couchvoice.backend.tools.installed import installed_tools
from couchvoice.backend.tools.registry import ToolRegistry
from couchvoice.backend.tools.runner import ToolRunner
from couchvoice.backend.tools.standard import STANDARD_TOOLS

__all__ = ["STANDARD_TOOLS", "Tool", "ToolContext", "ToolRegistry", "ToolRunner", "installed_tools", "tool"]
