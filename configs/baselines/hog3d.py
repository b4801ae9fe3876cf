# 3D-HOG, as HOG-TOP of Li et al., "Towards Reading Hidden Emotions: A Comparative Study of Spontaneous Micro-Expression
# Spotting and Recognition Methods", TAFFC 9(4), 2018, https://arxiv.org/abs/1511.00423: gradients by [-1 0 1] in the
# planes XY, XT and YT, signed orientation in 8 bins weighted by magnitude, L1 norm per block, linear SVM, 10 frames.
# Not the descriptor of Polikovsky et al. (ICDP 2009, https://doi.org/10.1049/ic.2009.0244), whose 12 regions are marked
# by hand on each face.
# Here: 8x8x2 blocks for all data sets, where the paper searches the best partition (8x8x2 on CASME II and SMIC in
# ELBPTOP, Guo et al., IEEE Access 7, 2019, which follows it); T = 16 evenly sampled frames instead of 10 interpolated
# ones; no motion magnification; edges of the bins on the axes, features standardised on the training subjects and C = 1
# by our choice.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HOG3D', n_bins=8, grid=(2, 8, 8)),
        dict(type='StandardScaler'),
        dict(type='SVC', kernel='linear', C=1.0, break_ties=True),
    ])
input = dict(channels=['grey'])
