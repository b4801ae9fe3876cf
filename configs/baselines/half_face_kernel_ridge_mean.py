# The mean decision of half_face_kernel_ridge.py over 18 settings: sizes of 8, 10 and 14 cells, gamma of 0.25, 0.5 and 1,
# penalty of 0.1 and 0.3. The grid lies around the settings of that file; its members were not chosen by their scores, and
# none is preferred.
sizes = [8, 10, 14]
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HalfFaces', size=sizes),
        dict(type='HalfFaceKernel', size=sizes, gamma=[0.25, 0.5, 1.0], constant=0.1, same_dataset=0.1),
        dict(type='KernelRidgeClassifier', alpha=[0.1, 0.3], power=0.75),
    ])
input = dict(channels=['u', 'v'], frames='apex', centre=True, scale='rms')
del sizes
