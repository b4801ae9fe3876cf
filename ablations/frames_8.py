input = dict(frames=8)
