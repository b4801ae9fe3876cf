# HTNet of a tenth of its width and a quarter of its epochs, for a CPU: an override, after configs/baselines/htnet.py.
model = dict(backbone=dict(dim=24), cls_head=dict(in_channels=96))
train_cfg = dict(max_epochs=200)
