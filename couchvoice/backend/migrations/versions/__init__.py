"""One file per version, oldest first; none is changed after a release."""
