# The support vector machine (scikit-learn) on the kernel of half_face_kernel_ridge.py; classes weighted by their
# frequency; C = 1, the default.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HalfFaces', size=10),
        dict(type='HalfFaceKernel', size=10, gamma=0.5, constant=0.1, same_dataset=0.1),
        dict(type='SVC', kernel='precomputed', C=1.0, class_weight='balanced', break_ties=True),
    ])
input = dict(channels=['u', 'v'], frames='apex', centre=True, scale='rms')
