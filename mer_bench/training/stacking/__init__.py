"""Small networks: the folds of a run trained from clips in memory, one or several at a time."""
