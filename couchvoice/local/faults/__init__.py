"""What goes wrong on purpose, to test clients."""
