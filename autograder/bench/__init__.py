"""How fast the grader and the lessons' parts are, beside others, in one run each."""
