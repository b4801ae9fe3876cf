input = dict(frames='apex')
