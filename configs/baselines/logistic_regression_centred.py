# logistic_regression.py on flow without head motion: of each channel of a clip its median over the picture is taken, then
# it is divided by its root mean square, so that the features need no scaler; 14x14 by area. Trained and tested on mirrored
# copies too. Strongly regularised: C = 0.003.
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
