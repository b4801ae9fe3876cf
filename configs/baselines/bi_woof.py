# Bi-WOOF: Liong, See, Wong and Phan, "Less is More: Micro-expression Recognition from Video Using Apex Frame", Signal
# Processing: Image Communication 62, 2018, https://arxiv.org/abs/1606.01721; authors' code
# https://github.com/christy1206/biwoof. TV-L1 flow from onset to apex; 5x5 blocks, 8 orientations, votes by magnitude,
# each block's histogram with sum 1, times the block's optical strain, all divided by their L2 norm; linear SVM with
# C = 10000.
# Here: blocks do not overlap (in the code by up to two pixels) and are weighted by the mean strain of the paper instead
# of the sum of the code, the same but for unequal blocks; motion beyond 135 degrees is counted, which the code drops;
# 5x5 blocks for all data sets. On published flow pictures, whose zero is not known, angles are not true ones.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='BiWOOF', n_bins=8, grid=(5, 5)),
        dict(type='SVC', kernel='linear', C=10000.0, break_ties=True),
    ])
input = dict(channels=['u', 'v', 'strain'], frames='apex')
