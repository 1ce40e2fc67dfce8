"""Thin programs: parse, wire, render."""
