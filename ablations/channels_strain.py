input = dict(channels=['strain'])
