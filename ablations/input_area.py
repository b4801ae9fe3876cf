input = dict(resize='area')
