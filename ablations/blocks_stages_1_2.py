model = dict(backbone=dict(multiscale_stages=(0, 1)))
