# CAS(ME)^3 part A, seven classes (Li et al., TPAMI 2023, doi 10.1109/TPAMI.2022.3174895).
_base_ = 'flow_store.py'
dataset = 'casme3'
data_root = 'data/casme3'
data_source = 'casme3'
label_scheme = 'casme3_7class'
