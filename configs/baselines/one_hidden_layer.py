# One hidden layer on the flow of the apex frame, averaged to 14x14: a sanity baseline, of no paper. Nothing of it was
# chosen on recorded faces: on drawn flow pictures of the composite's size, scores are flat from 64 to 512 hidden units
# and from 10 to 40 epochs.
size, hidden = 14, 256
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(type='OneHiddenLayer', in_features=2 * size * size, hidden=hidden),
    cls_head=dict(type='FlatHead', in_channels=hidden, dropout_ratio=0.5))
input = dict(channels=['u', 'v'], frames='apex', size=size)
del size, hidden
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.1))
