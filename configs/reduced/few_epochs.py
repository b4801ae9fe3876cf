# Two epochs, for networks whose input cannot shrink: an override, after the network's.
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_epochs=2)
