# The multi-scale 3D-ResNet50 on CASME II, negative, positive and surprise as in MEGC2019.
_base_ = 'mer_casme2.py'
label_scheme = 'megc2019_3class'
