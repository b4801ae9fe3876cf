# The multi-scale 3D-ResNet50 on SAMM, negative, positive and surprise as in MEGC2019.
_base_ = 'mer_samm.py'
label_scheme = 'megc2019_3class'
