data_variant = dict(name='flow_farneback', options='--flow farneback', flow='farneback')
