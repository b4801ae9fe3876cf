input = dict(frames=4)
