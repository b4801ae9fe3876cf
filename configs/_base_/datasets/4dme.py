# 4DME, five classes (Li et al., IEEE TAC 2022, doi 10.1109/TAFFC.2022.3182342).
_base_ = 'flow_store.py'
dataset = '4dme'
data_root = 'data/4dme'
data_source = '4dme'
label_scheme = '4dme_5class'
