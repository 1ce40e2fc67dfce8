"""What is done when somebody may come to harm: where help is, how to speak, and what is written down of it."""
