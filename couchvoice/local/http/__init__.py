"""The paths of the local server: who may come, and what is open."""
