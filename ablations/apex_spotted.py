data_variant = dict(name='apex_spotted', options='--apex spotted', apex='spotted')
