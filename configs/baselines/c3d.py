# C3D: Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV 2015,
# https://arxiv.org/abs/1412.0767. Network as in MMAction2's _base_/models/c3d_sports1m_pretrained.py (78.4 M
# parameters, 101 classes). Its first fully connected layer fixes the input: 3 channels, 16 frames of 112x112.
# Paper, from scratch: SGD 0.003, halved every 150k iterations, batch 30, 13 epochs. Model zoo: Sports-1M weights.
# Here: from scratch, flow u, v, strain, the project's AdamW schedule at a tenth of its learning rate: the network has no
# norms, and in a trial on drawn clips the loss leapt from 1.1 to 90 after the first step of 1e-3, but not of 1e-4.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='C3D',
        pretrained=None,
        style='pytorch',
        conv_cfg=dict(type='Conv3d'),
        norm_cfg=None,
        act_cfg=dict(type='ReLU'),
        out_dim=8192,
        dropout_ratio=0.5,
        init_std=0.005),
    cls_head=dict(
        type='I3DHead', in_channels=4096, spatial_type=None, dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(channels=['u', 'v', 'strain'], frames=16, repeat=True, size=112)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
