"""What is run: a method on its data and folds, opened and checked once."""
