# Sanity: classes drawn by their shares among the training subjects, whatever the clip shows (scikit-learn's stratified
# DummyClassifier, each clip with a draw of its own). Another seed draws others.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='ClassPrior'),
    ])
input = dict(frames=1, size=28)  # only to draw otherwise for another clip
