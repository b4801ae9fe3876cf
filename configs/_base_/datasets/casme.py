# CASME, four classes (Yan et al., FG 2013, doi 10.1109/FG.2013.6553799).
_base_ = 'flow_store.py'
dataset = 'casme'
data_root = 'data/casme'
data_source = 'casme'
label_scheme = 'casme_4class'
