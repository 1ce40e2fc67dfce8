"""Guided exercises: what they are, which one is meant, and how one is gone through step by step."""

from couchvoice.backend.exercises.book import ExerciseBook, MemoryExerciseBook, Place
from couchvoice.backend.exercises.catalogue import Catalogue, shipped_catalogue
from couchvoice.backend.exercises.exercise import Exercise, Step
from couchvoice.backend.exercises.run import Action, Outcome, Phase, Rejected, Run

__all__ = [
    "Action",
    "Catalogue",
    "Exercise",
    "ExerciseBook",
    "MemoryExerciseBook",
    "Outcome",
    "Phase",
    "Place",
    "Rejected",
    "Run",
    "Step",
    "shipped_catalogue",
]
