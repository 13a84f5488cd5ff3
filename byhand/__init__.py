"""What a learner's notebook imports: checks, plots, data and the parts of earlier lessons."""
