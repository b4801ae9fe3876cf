# Half-face kernel ridge, ours, of no paper: ridge regression on a kernel that compares half faces, in closed form.
# Input: u and v of the apex frame; per clip and channel minus the median over the picture, over the root mean square.
# Halves: 10x10 by area, of it the left half, with the middle, of the clip and of its mirrored copy (u changes its sign).
# Kernel: the mean of exp(-0.5 |h - h'|^2) over the four pairs of halves, + 0.1, + 0.1 where both clips are of one data
# set. The data set of a clip is known without its label.
# Fit: (K + diag(0.3 / w)) a = one-hot(y), w = (n / (classes * n_class))^0.75 of the training subjects of the fold.
# The settings were found on the 442 clips of the MEGC2019 composite, in another rendering of their flow: expect
# less on other data.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HalfFaces', size=10),
        dict(type='HalfFaceKernel', size=10, gamma=0.5, constant=0.1, same_dataset=0.1),
        dict(type='KernelRidgeClassifier', alpha=0.3, power=0.75),
    ])
input = dict(channels=['u', 'v'], frames='apex', centre=True, scale='rms')
