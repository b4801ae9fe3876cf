# The multi-scale 3D-ResNet50 on CASME II and SAMM together, negative, positive and surprise as in MEGC2019, leave one
# subject out: the MEGC2019 composite for those who do not have SMIC.
_base_ = 'mer_megc2019.py'
dataset = 'casme2+samm'
data_root = ['data/casme2', 'data/samm']
data_source = ['casme2', 'samm']
