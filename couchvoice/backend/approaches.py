"""The therapeutic approaches that exercises belong to and that a response skill may lean on."""

from __future__ import annotations

from typing import Literal

Approach = Literal["act", "behavioral_activation", "cbt", "compassion_focused", "dbt", "mindfulness"]
