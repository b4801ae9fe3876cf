# DFME, seven classes, ten folds by subject (Zhao et al., TAC 2023, doi 10.1109/TAFFC.2023.3341918).
_base_ = 'flow_store.py'
dataset = 'dfme'
data_root = 'data/dfme'
data_source = 'dfme'
label_scheme = 'dfme_7class'
folds = dict(type='group_kfold', n_splits=10)
