# CASME II, five classes (Yan et al., PLoS ONE 2014, doi 10.1371/journal.pone.0086041).
_base_ = 'flow_store.py'
dataset = 'casme2'
data_root = 'data/casme2'
data_source = 'casme2'
label_scheme = 'casme2_5class'
