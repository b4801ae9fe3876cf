# Half the frames at a quarter of the area, for a CPU: an override.
input = dict(frames=8, size=56)
