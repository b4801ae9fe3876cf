# Extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006,
# https://doi.org/10.1007/s10994-006-6226-1; scikit-learn) on the flow of lda_shrinkage.py: 300 trees, five clips or
# more a leaf, classes weighted by their frequency. With leaves of one clip, few are found of the rare classes.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='ExtraTreesClassifier', n_estimators=300, min_samples_leaf=5, class_weight='balanced'),
    ])
input = dict(
    channels=['u', 'v'], frames='apex', size=10, centre=True, scale='rms', resize='area', mirror_train=True,
    mirror_test=True)
