"""Looking things up before an answer is given: sources, a shipped corpus, and what comes of a question."""
