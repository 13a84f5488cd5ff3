"""The untrusted side: runs a learner's cells, then answers questions about what they defined."""
