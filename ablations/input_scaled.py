input = dict(scale='rms')
