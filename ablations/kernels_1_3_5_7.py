model = dict(backbone=dict(kernel_sizes=(1, 3, 5, 7)))
