# SAMM, five classes (Davison et al., TAC 2018, doi 10.1109/TAFFC.2016.2573832).
_base_ = 'flow_store.py'
dataset = 'samm'
data_root = 'data/samm'
data_source = 'samm'
label_scheme = 'samm_5class'
