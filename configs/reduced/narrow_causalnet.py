# CausalNet of a tenth of its width, for a CPU: an override, after configs/baselines/causalnet.py.
model = dict(backbone=dict(dim=24, out_channels=192), cls_head=dict(in_channels=192))
