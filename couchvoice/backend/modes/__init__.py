"""Modes: what a session is there for, each a file of its own."""
