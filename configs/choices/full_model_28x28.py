# Two widths of the full model on one 28x28 picture a clip, for --select inner with mer_megc2019_flow.py: each fold chooses
# width and epoch by its training subjects. Ten epochs at most; the learning rates are those that fit the training clips in
# that time. Head motion and strength are removed from the flow: in one fold that was looked at, the inner score of the
# plain flow was 0.16 lower. An override.
model = dict(
    backbone=dict(base_channels=8),
    neck=dict(in_channels=[64, 128, 256], channels=32),
    cls_head=dict(in_channels=[32] * 4))
train_cfg = dict(max_epochs=10)
optim_wrapper = dict(optimizer=dict(lr=8e-3))
input = dict(centre=True, scale='rms')
candidates = [
    {'model.backbone.base_channels': 8},
    {
        'model.backbone.base_channels': 16,
        'model.neck.in_channels': [128, 256, 512],
        'model.neck.channels': 64,
        'model.cls_head.in_channels': [64] * 4,
        'optim_wrapper.optimizer.lr': 4e-3,
    },
]
