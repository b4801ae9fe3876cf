# Sanity: least squares on targets of +1 and -1, one class against the rest (scikit-learn's RidgeClassifier; a linear
# least-squares SVM, Suykens and Vandewalle, Neural Processing Letters 9, 1999, https://doi.org/10.1023/A:1018628609742)
# on the 28x28 flow u, v and strain from onset to apex; alpha = 1, the default. Classes are not weighted, so that one
# factorisation serves all folds: the fastest method here.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='RidgeClassifier', alpha=1.0),
    ])
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
