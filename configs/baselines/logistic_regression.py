# Sanity: logistic regression (scikit-learn) on the 28x28 flow u, v and strain from onset to apex, each value
# standardised on the training subjects, classes weighted by their frequency; C = 1, the default.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='StandardScaler'),
        dict(type='LogisticRegression', C=1.0, class_weight='balanced', max_iter=1000),
    ])
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
