# ir-CSN-50: Tran et al., "Video Classification with Channel-Separated Convolutional Networks", ICCV 2019,
# https://arxiv.org/abs/1904.02811. Network as in MMAction2's _base_/models/ircsn_r152.py with depth 50 (13.13 M
# parameters, 400 classes): interaction-reduced bottlenecks, their 3x3x3 convolutions are depthwise.
# Paper, from scratch: 32 frames of 224x224 RGB, SGD 0.01 with cosine, 45 epochs. Model zoo: IG-65M weights, frozen
# norms.
# Here: from scratch, flow u, v, strain, all frames of the store (16) at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='ResNet3dCSN',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        with_pool2=False,
        bottleneck_mode='ir',
        norm_eval=False,
        bn_frozen=False,
        zero_init_residual=False),
    cls_head=dict(
        type='I3DHead', in_channels=2048, spatial_type='avg', dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(size=112)
