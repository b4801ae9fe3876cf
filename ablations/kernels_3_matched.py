model = dict(backbone=dict(kernel_sizes=(3, 3, 3), reduction=7.7))  # blocks of 1.911 M parameters; 1.909 M with 1, 3 and 5
