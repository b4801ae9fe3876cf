"""Trainings through MMEngine's Runner: one fold, and all folds of a protocol."""
