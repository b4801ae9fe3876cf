# SlowFast-R50: Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019,
# https://arxiv.org/abs/1812.03982. Network as in MMAction2's _base_/models/slowfast_r50.py (34.5 M parameters,
# 400 classes).
# Model zoo, 4x16: 32 frames of 224x224 RGB, of which the slow pathway sees 4 (every 8th), from scratch, SGD 0.1 with
# cosine, batch 64, 256 epochs, dropout 0.5.
# Here: flow u, v, strain, 16 frames at 112x112, of which the slow pathway sees 4, hence every 4th (tau = alpha = 4,
# the ratio of the paper's 8x8 network); the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,  # tau
        speed_ratio=4,  # alpha
        channel_ratio=8,  # 1 / beta
        slow_pathway=dict(
            type='resnet3d',
            depth=50,
            pretrained=None,
            pretrained2d=False,
            lateral=True,
            conv1_kernel=(1, 7, 7),
            dilations=(1, 1, 1, 1),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, 1, 1),
            norm_eval=False),
        fast_pathway=dict(
            type='resnet3d',
            depth=50,
            pretrained=None,
            pretrained2d=False,
            lateral=False,
            base_channels=8,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            norm_eval=False)),
    cls_head=dict(
        type='SlowFastHead',
        in_channels=2304,  # 2048 of the slow pathway and 256 of the fast one
        spatial_type='avg',
        dropout_ratio=0.5,
        topk=(1,),
        average_clips='prob'))
input = dict(channels=['u', 'v', 'strain'], frames=16, repeat=True, size=112)
