model = dict(neck=dict(attention='se'))
