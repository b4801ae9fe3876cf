# Sanity: the class with the most clips among the training subjects, whatever the clip shows (scikit-learn's
# DummyClassifier). On the MEGC2019 composite, 250 of whose 442 clips are negative, UF1 is 0.241 and UAR 1/3.
model = dict(
    _delete_=True,
    type='Pipeline',
    steps=[
        dict(type='Flatten'),
        dict(type='DummyClassifier', strategy='most_frequent'),
    ])
input = dict(frames=1, size=28)  # not looked at
