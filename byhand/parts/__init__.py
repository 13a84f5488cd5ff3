"""Parts that lessons build, one file for the lessons that belong together; byhand.blocks is the door."""
