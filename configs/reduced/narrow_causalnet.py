# CausalNet of a tenth of its width, for a CPU: an override, after configs/baselines/causalnet.py. `--stack off` saves the
# minutes in which stacked training is timed.
model = dict(backbone=dict(dim=24, out_channels=192), cls_head=dict(in_channels=192))
