# Extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006,
# https://doi.org/10.1007/s10994-006-6226-1; scikit-learn) on the flow of logistic_regression_centred.py: 300 trees,
# classes weighted by their frequency, all else by default.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='ExtraTreesClassifier', n_estimators=300, class_weight='balanced'),
    ])
input = dict(
    channels=['u', 'v', 'strain'], frames='apex', size=14, centre=True, scale='rms', resize='area', mirror_train=True,
    mirror_test=True)
