# The same components at a quarter of their width, with a short training for few clips on a CPU: an override.
model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=[128, 256, 512], channels=64),
    cls_head=dict(in_channels=[64] * 4))
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=24)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
