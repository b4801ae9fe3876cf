data_variant = dict(name='flow_dis', options='--flow dis', flow='dis')
