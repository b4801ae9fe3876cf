input = dict(channels=['grey'])
