# TSM for 8 frames of 32x32, with a short training: an override, after configs/baselines/tsm_r50.py.
model = dict(backbone=dict(num_segments=8), cls_head=dict(num_segments=8))
input = dict(frames=8, size=32)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=8)
