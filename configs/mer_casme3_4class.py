# The multi-scale 3D-ResNet50 on CAS(ME)^3 part A, negative, positive, surprise and others.
_base_ = 'mer_casme3.py'
label_scheme = 'casme3_4class'
