model = dict(backbone=dict(kernel_sizes=(1, 3)))
