"""Methods of scikit-learn: features once, then each fold on its own or with what the folds share."""
