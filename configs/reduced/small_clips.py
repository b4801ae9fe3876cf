# 8 frames of 32x32 and a short training, for networks of video on a CPU: an override, after the network's.
input = dict(frames=8, size=32)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=8)
