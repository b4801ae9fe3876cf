model = dict(backbone=dict(kernel_sizes=(1,)))
