# 81 settings of half_face_kernel_ridge.py, for --select inner: each fold chooses among them by its training subjects.
# Grid size, width of the kernel, penalty and weight of rare classes, each at, below and above the setting of that file;
# the grid was fixed before any of it was scored on held-out subjects of these data. Its centre was found on another
# rendering of the same clips, so where the grid lies is not blind.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HalfFaces', size=10),
        dict(type='HalfFaceKernel', size=10, gamma=0.5, constant=0.1, same_dataset=0.1),
        dict(type='KernelRidgeClassifier', alpha=0.3, power=0.75),
    ])
input = dict(channels=['u', 'v'], frames='apex', centre=True, scale='rms')
candidates = [
    {
        'model.steps.0.size': size,
        'model.steps.1.size': size,
        'model.steps.1.gamma': gamma,
        'model.steps.2.alpha': alpha,
        'model.steps.2.power': power,
    }
    for size in (8, 10, 14) for gamma in (0.25, 0.5, 1.0) for alpha in (0.1, 0.3, 1.0) for power in (0.5, 0.75, 1.0)
]
