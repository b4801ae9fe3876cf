input = dict(centre=True)
