# The MEGC2019 composite: SMIC-HS, CASME II and SAMM in one LOSO run of 68 subjects
# (See et al., FG 2019, doi 10.1109/FG.2019.8756611).
_base_ = 'flow_store.py'
dataset = 'megc2019'
data_root = ['data/smic', 'data/casme2', 'data/samm']
data_source = ['smic', 'casme2', 'samm']
label_scheme = 'megc2019_3class'
