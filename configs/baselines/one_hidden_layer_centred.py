# One hidden layer of 32 units on flow without head motion: u, v and strain of the apex frame, each less its median over the
# picture and over its root mean square, 10x10 by area; dropout 0.5, AdamW with a one-cycle rate, class weights to the power
# 0.75, trained and tested on mirrored copies too. The settings were found on the MEGC2019 composite in another rendering
# of its flow. One seed a run: train several with --seeds and compare.
size, hidden = 10, 32
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(type='OneHiddenLayer', in_features=3 * size * size, hidden=hidden),
    cls_head=dict(type='FlatHead', in_channels=hidden, dropout_ratio=0.5))
input = dict(
    channels=['u', 'v', 'strain'], frames='apex', size=size, centre=True, scale='rms', resize='area', mirror_test=True)
del size, hidden
class_weight = 0.75
train_dataloader = dict(batch_size=128)
train_cfg = dict(max_epochs=80)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.01))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-3, convert_to_iter_based=True)]
amp = False
