"""Walls around learners' code: bubblewrap outside, a fork with its own namespaces inside."""
