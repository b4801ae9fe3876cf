# I3D with an inflated ResNet-50: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017,
# https://arxiv.org/abs/1705.07750; with ResNet-50: Wang et al., "Non-local Neural Networks", CVPR 2018,
# https://arxiv.org/abs/1711.07971. Network as in MMAction2's _base_/models/i3d_r50.py (28.0 M parameters, 400 classes).
# Model zoo: 32 frames (every 2nd) of 224x224 RGB, ImageNet weights, SGD 0.01 in steps, batch 64, 100 epochs, dropout
# 0.5. Time is halved three times: fewer than 8 frames do not work.
# Here: from scratch, flow u, v, strain, 16 frames at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='ResNet3d',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(5, 7, 7),
        conv1_stride_t=2,
        pool1_stride_t=2,
        inflate=((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0)),
        norm_eval=False,
        zero_init_residual=False),
    cls_head=dict(
        type='I3DHead', in_channels=2048, spatial_type='avg', dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(frames=16, repeat=True, size=112)
