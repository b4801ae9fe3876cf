# Seven methods of scikit-learn as shipped, for --select inner: each fold chooses among them by its training subjects.
candidates = [
    'half_face_kernel_ridge',
    'half_face_kernel_ridge_mean',
    'half_face_svm',
    'logistic_regression_centred',
    'pls_da',
    'lda_shrinkage',
    'extra_trees',
]
