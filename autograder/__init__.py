"""What an instructor runs: release lessons, grade submissions, return feedback."""
