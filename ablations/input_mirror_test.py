input = dict(mirror_test=True)
