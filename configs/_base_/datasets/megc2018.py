# CASME II and SAMM with the objective classes I to V of MEGC2018: 253 clips, 47 subjects
# (Yap et al., FG 2018, doi 10.1109/FG.2018.00106).
_base_ = 'flow_store.py'
dataset = 'megc2018'
data_root = ['data/casme2', 'data/samm']
data_source = ['casme2', 'samm']
label_scheme = 'objective_5class'
