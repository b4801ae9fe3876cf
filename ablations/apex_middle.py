data_variant = dict(name='apex_middle', options='--apex middle', apex='middle')
