model = dict(backbone=dict(multiscale_stages=(1, 2)))
