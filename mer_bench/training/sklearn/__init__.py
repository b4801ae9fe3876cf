"""Methods of scikit-learn: features once, then every fold by itself or with what folds share."""
