model = dict(neck=dict(attention='cbam'))
