# The multi-scale 3D-ResNet50 on CASME II, objective classes I to V.
_base_ = 'mer_casme2.py'
label_scheme = 'objective_5class'
