model = dict(neck=dict(attention=None))
