# The micro-expressions of CAS(ME)^2, by valence (Qu et al., TAC 2018, doi 10.1109/TAFFC.2017.2654440).
_base_ = 'flow_store.py'
dataset = 'casme_sq'
data_root = 'data/casme_sq'
data_source = 'casme_sq'
label_scheme = 'casme_sq_4class'
