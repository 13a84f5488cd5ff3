"""Pages for learners, made as nbgrader's are."""
