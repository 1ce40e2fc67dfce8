"""``python -m couchvoice`` is the command ``couchvoice``."""

from couchvoice.apps.cli import main

main()
