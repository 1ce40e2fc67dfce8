"""The reference backend: mints secrets, runs tools, keeps turns. Never touches audio."""
