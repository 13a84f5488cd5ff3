"""A class is graded: what is new is found, graded in parallel, and written to nbgrader's gradebook."""
