# SMIC-HS, three classes (Li et al., FG 2013, doi 10.1109/FG.2013.6553717).
_base_ = 'flow_store.py'
dataset = 'smic'
data_root = 'data/smic'
data_source = 'smic'
label_scheme = 'smic_3class'
