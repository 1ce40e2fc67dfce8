"""Samples: frames, files, devices, playout. Knows nothing of sessions."""
