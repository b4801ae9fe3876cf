# 12 settings of logistic_regression_centred.py, for --select inner: each fold chooses among them by its training subjects.
# Regularisation, grid size and channels, at and around the setting of that file; fixed before any of it but that one was
# scored on held-out subjects of these data. Its centre was found on another rendering of the same clips.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='LogisticRegression', C=0.003, class_weight='balanced', max_iter=1000),
    ])
input = dict(
    channels=['u', 'v', 'strain'], frames='apex', size=14, centre=True, scale='rms', resize='area', mirror_train=True,
    mirror_test=True)
candidates = [
    {'model.steps.1.C': C, 'input.size': size, 'input.channels': channels}
    for C in (0.001, 0.003, 0.01) for size in (10, 14) for channels in (['u', 'v'], ['u', 'v', 'strain'])
]
