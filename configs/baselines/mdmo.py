# MDMO: Liu, Zhang, Yan, Wang, Zhao and Fu, "A Main Directional Mean Optical Flow Feature for Spontaneous
# Micro-Expression Recognition", TAFFC 7(4), 2016, https://doi.org/10.1109/TAFFC.2015.2485205. Flow from the first to
# each frame; in each of 36 regions the mean of the vectors in the fullest of 8 directions; mean over frames as vectors;
# 36 lengths as shares of the longest and 36 angles. Paper: regions by the landmarks of the first frame, robust flow,
# affine alignment of the frames driven by flow, a weight between lengths and angles, SVM with a polynomial kernel.
# Here: the regions of a mean face, so it needs a store prepared with --faces dlib, whose crops are aligned to it; their
# corners as in a public re-implementation (see mdmo_regions.py); bins with edges at 0, +-45, +-90 degrees, as there
# (axis_centred=True: bins around them, as in another one, tvaranka/meb; the paper was not at hand); flow and alignment
# of the store; each value standardised on the training subjects instead of the weight; linear SVM, C = 1 by our choice.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='MDMO', n_bins=8, axis_centred=False),
        dict(type='StandardScaler'),
        dict(type='SVC', kernel='linear', C=1.0, break_ties=True),
    ])
input = dict(channels=['u', 'v'], faces='aligned')
