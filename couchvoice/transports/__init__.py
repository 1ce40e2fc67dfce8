"""Ways to the provider: one file each, behind the Protocol in transport.py."""
