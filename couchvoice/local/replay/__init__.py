"""A cassette as the other end of a call: what it says when, and what it expects of the client."""
