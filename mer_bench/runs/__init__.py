"""All folds of one experiment: workers, pooled predictions, the record."""
