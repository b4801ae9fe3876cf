# Three settings of the full model on one 28x28 picture a clip, for --select inner with mer_megc2019_flow.py: each fold
# chooses input, width and epoch by its training subjects. Ten epochs at most; the learning rates are those that fit the
# training clips in that time. An override.
model = dict(
    backbone=dict(base_channels=8),
    neck=dict(in_channels=[64, 128, 256], channels=32),
    cls_head=dict(in_channels=[32] * 4))
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(lr=8e-3))
centred = {'input.centre': True, 'input.scale': 'rms'}
candidates = [
    {'input.centre': False},
    centred,
    {
        **centred,
        'model.backbone.base_channels': 16,
        'model.neck.in_channels': [128, 256, 512],
        'model.neck.channels': 64,
        'model.cls_head.in_channels': [64] * 4,
        'optim_wrapper.optimizer.lr': 4e-3,
    },
]
del centred
