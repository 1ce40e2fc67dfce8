"""A Realtime-compatible server for use offline: the far end of the talk, on this machine."""
