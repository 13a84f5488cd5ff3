"""What a lesson is, its bank of known answers, and the notebooks and tables made from them."""
