"""The asyncio shell round the core: resources, backend calls, finalization."""
