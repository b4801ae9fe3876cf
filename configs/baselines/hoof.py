# HOOF: Chaudhry, Ravichandran, Hager and Vidal, "Histograms of Oriented Optical Flow and Binet-Cauchy Kernels on
# Nonlinear Dynamical Systems for the Recognition of Human Actions", CVPR 2009,
# https://doi.org/10.1109/CVPR.2009.5206821. One histogram a frame of the angle to the horizontal, left and right alike,
# weighted by magnitude, sum 1; bins as in the authors' code (gradientHistogram.m, JHU Vision Lab), whose histc drops
# motion straight down, which is kept here. 30 bins.
# Here: the histograms of all frames side by side in a linear SVM instead of a kernel between dynamical systems; flow
# from the onset to each of the T = 16 frames of the store instead of between neighbours; features standardised on the
# training subjects; C = 1 by our choice. On published flow pictures, whose zero is not known, angles are not true ones.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='HOOF', n_bins=30, grid=(1, 1)),
        dict(type='StandardScaler'),
        dict(type='SVC', kernel='linear', C=1.0, break_ties=True),
    ])
input = dict(channels=['u', 'v'])
