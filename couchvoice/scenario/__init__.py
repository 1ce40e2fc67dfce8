"""Scripted conversations: what is said, what is expected, and what came of it."""
