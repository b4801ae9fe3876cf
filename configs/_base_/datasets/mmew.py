# MMEW, six classes: all but others (Ben et al., TPAMI 2022, doi 10.1109/TPAMI.2021.3067464).
_base_ = 'flow_store.py'
dataset = 'mmew'
data_root = 'data/mmew'
data_source = 'mmew'
label_scheme = 'mmew_6class'
