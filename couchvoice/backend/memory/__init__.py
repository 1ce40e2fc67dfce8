"""What is remembered of a person: facts, the arcs of sessions, rules; how it is found, learnt, and forgotten."""
