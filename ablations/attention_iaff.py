model = dict(neck=dict(attention='iaff'))
