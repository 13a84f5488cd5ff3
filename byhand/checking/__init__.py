"""What a check compares, counts, asks and says; byhand.check is the door."""
