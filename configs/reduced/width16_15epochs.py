# The same components at a quarter of their width and with fewer epochs, for a CPU: an override for any config.
model = dict(
    backbone=dict(base_channels=16),
    neck=dict(in_channels=[128, 256, 512], channels=64),
    cls_head=dict(in_channels=[64] * 4))
train_cfg = dict(max_epochs=15)
