model = dict(backbone=dict(kernel_sizes=None))
