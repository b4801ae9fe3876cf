# LBP-SIP: Wang, See, Phan and Oh, "LBP with Six Intersection Points: Reducing Redundant Information in LBP-TOP for
# Micro-expression Recognition", ACCV 2014, https://doi.org/10.1007/978-3-319-16865-4_34; "Efficient Spatio-Temporal
# Local Binary Patterns for Spontaneous Facial Micro-Expression Recognition", PLoS ONE 10(5), 2015,
# https://doi.org/10.1371/journal.pone.0124674. Four neighbours in space (16 bins) and two in time (4 bins): 20 bins a
# block instead of the 48 of LBP-TOP with four neighbours; 5x5 blocks on CASME II, 8x8 on SMIC.
# Here: 5x5 blocks for all data sets; radius of 1 pixel and 1 frame of the store, T = 16 evenly sampled frames; one
# resolution, without the papers' Gaussian pyramid; features standardised on the training subjects; linear SVM, C = 1 by
# our choice.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='LBPSIP', radius=1, grid=(1, 5, 5)),
        dict(type='StandardScaler'),
        dict(type='SVC', kernel='linear', C=1.0, break_ties=True),
    ])
input = dict(channels=['grey'])
