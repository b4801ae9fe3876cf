input = dict(channels=['u', 'v'])
