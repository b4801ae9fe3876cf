"""Label schemes and folds: pure functions of the annotation table."""
