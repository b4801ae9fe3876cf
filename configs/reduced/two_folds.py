# Two folds by subject in place of one for each subject, for many methods on a CPU: an override.
folds = dict(type='group_kfold', n_splits=2)
