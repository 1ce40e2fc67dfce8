"""The Realtime protocol, from the server's side. Pure: no I/O, no clock, no tasks."""
