# C3D for 16 frames of 32x32, with a short training: an override, after configs/baselines/c3d.py.
model = dict(backbone=dict(out_dim=2048))
input = dict(size=32)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=8)
