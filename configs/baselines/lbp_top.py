# LBP-TOP: Zhao and Pietikainen, "Dynamic Texture Recognition Using Local Binary Patterns with an Application to Facial
# Expressions", TPAMI 29(6), 2007, https://doi.org/10.1109/TPAMI.2007.1110.
# Authors' code (LBPTOP.m, University of Oulu): 8 neighbours, radius 1 or 3 recommended, 59 uniform bins a plane, each
# plane's histogram with sum 1. For micro-expressions: 5x5 blocks, radii of 1 pixel and 4 frames at 200 fps, SVM
# (baseline of CASME II, Yan et al., PLoS ONE 9(1), 2014, https://doi.org/10.1371/journal.pone.0086041).
# Here: radius of 1 frame, since the T = 16 frames of the store lie about 4 frames of a clip at 200 fps apart; evenly
# sampled frames instead of temporal interpolation; bilinear neighbours (scikit-image), nearest ones in the authors'
# default; features standardised on the training subjects; linear SVM, C = 1 by our choice.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='LBPTOP', points=8, radius=1, grid=(1, 5, 5)),
        dict(type='StandardScaler'),
        dict(type='SVC', kernel='linear', C=1.0, break_ties=True),
    ])
input = dict(channels=['grey'])
