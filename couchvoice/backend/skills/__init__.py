"""Response skills: how to answer in a style, and what an approach adds to it. The texts are files beside this one."""

from couchvoice.backend.skills.response_skill import ResponseStyle, skill_context

__all__ = ["ResponseStyle", "skill_context"]
