"""The pure core: facts in, effects out. No I/O, no clock, no asyncio, no threads."""
