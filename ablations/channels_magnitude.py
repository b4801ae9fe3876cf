input = dict(channels=['magnitude'])
