# SlowOnly, the slow pathway alone: Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019,
# https://arxiv.org/abs/1812.03982. Network as in MMAction2's _base_/models/slowonly_r50.py (32.45 M parameters,
# 400 classes): no temporal stride, temporal kernels in the last two stages only.
# Model zoo: 4 or 8 frames of 224x224 RGB, from scratch, SGD 0.2 with cosine, batch 128, 256 epochs, dropout 0.5.
# Here: flow u, v, strain, all frames of the store (16) at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='ResNet3dSlowOnly',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        lateral=False,
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(0, 0, 1, 1),
        norm_eval=False),
    cls_head=dict(
        type='I3DHead', in_channels=2048, spatial_type='avg', dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(size=112)
