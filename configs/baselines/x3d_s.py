# X3D-S: Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020,
# https://arxiv.org/abs/2004.04730. Network as in MMAction2's _base_/models/x3d.py (3.79 M parameters, 400 classes; 3.76
# M in the paper); X3D-S and X3D-M differ in their input alone.
# Paper: 13 frames of 160x160 RGB, from scratch, SGD 1.6 with cosine, batch 1024, 256 epochs, weight decay 5e-5, dropout
# 0.5.
# Here: flow u, v, strain, all frames of the store (16) at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(type='X3D', pretrained=None, gamma_w=1, gamma_b=2.25, gamma_d=2.2),
    cls_head=dict(
        type='X3DHead',
        in_channels=432,
        spatial_type='avg',
        dropout_ratio=0.5,
        fc1_bias=False,
        topk=(1,),
        average_clips='prob'))
input = dict(size=112)
