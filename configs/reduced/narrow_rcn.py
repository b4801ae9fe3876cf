# RCN as in the example of its authors' README: 32 maps, 5x5 before the classifier, 20 epochs. An override, after
# configs/baselines/rcn_a.py, rcn_s.py, rcn_w.py or rcn_f.py.
model = dict(backbone=dict(channels=32), cls_head=dict(in_channels=32, pool_size=5))
train_cfg = dict(max_epochs=20)
