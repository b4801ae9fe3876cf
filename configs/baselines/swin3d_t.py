# Video Swin-T: Liu et al., "Video Swin Transformer", CVPR 2022, https://arxiv.org/abs/2106.13230. Network as in
# MMAction2's _base_/models/swin_tiny.py (28.2 M parameters, 400 classes, in the paper too).
# Model zoo: 32 frames (every 2nd) of 224x224 RGB, ImageNet weights, AdamW 1e-3 (a tenth for the backbone) with cosine
# and warm-up, batch 64, 30 epochs, weight decay 0.02, stochastic depth 0.1.
# Here: from scratch, hence one learning rate; flow u, v, strain, all frames of the store (16) at 112x112, the project's
# AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='SwinTransformer3D',
        arch='tiny',
        pretrained=None,
        pretrained2d=False,
        patch_size=(2, 4, 4),
        window_size=(8, 7, 7),
        mlp_ratio=4.0,
        qkv_bias=True,
        qk_scale=None,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.1,
        patch_norm=True),
    cls_head=dict(
        type='I3DHead', in_channels=768, spatial_type='avg', dropout_ratio=0.5, topk=(1,), average_clips='prob'))
input = dict(size=112)
