model = dict(neck=dict(attention='sk'))
