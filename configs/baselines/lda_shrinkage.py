# Linear discriminant analysis (scikit-learn) on flow without head motion, u and v at 10x10, with the covariance shrunk as of
# Ledoit and Wolf, J. Multivariate Anal. 88, 2004, https://doi.org/10.1016/S0047-259X(03)00096-4: nothing to choose.
# Trained and tested on mirrored copies too.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='LinearDiscriminantAnalysis', solver='lsqr', shrinkage='auto'),
    ])
input = dict(
    channels=['u', 'v'], frames='apex', size=10, centre=True, scale='rms', resize='area', mirror_train=True,
    mirror_test=True)
