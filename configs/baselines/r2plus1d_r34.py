# R(2+1)D-34: Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018,
# https://arxiv.org/abs/1711.11248. Network as in MMAction2's _base_/models/r2plus1d_r34.py (63.8 M parameters,
# 400 classes).
# Paper: 8 or 32 frames of 112x112 from scratch, SGD 0.01 in steps, 45 epochs. Model zoo: 224x224, 180 epochs, batch 64.
# Here: flow u, v, strain, all frames of the store (16) at 112x112, the project's AdamW schedule; batch norm of one
# device where the model zoo has the synchronised one, which is the same on one device.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='ResNet2Plus1d',
        depth=34,
        pretrained=None,
        pretrained2d=False,
        norm_eval=False,
        conv_cfg=dict(type='Conv2plus1d'),
        norm_cfg=dict(type='BN3d', requires_grad=True, eps=1e-3),
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(1, 1, 1, 1),
        spatial_strides=(1, 2, 2, 2),
        temporal_strides=(1, 2, 2, 2),
        zero_init_residual=False),
    cls_head=dict(
        type='I3DHead', in_channels=512, spatial_type='avg', dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(size=112)
