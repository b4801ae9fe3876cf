input = dict(frames=None)
