# Sanity: classes drawn by their shares among the training subjects, whatever the clip shows (scikit-learn's
# DummyClassifier). Another seed draws others.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='DummyClassifier', strategy='stratified'),
    ])
input = dict(frames=1, size=28)  # not looked at
