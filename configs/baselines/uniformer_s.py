# UniFormer-S: Li et al., "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning", ICLR
# 2022, https://arxiv.org/abs/2201.04676. Network as in MMAction2's uniformer-small_imagenet1k-pre_16x4x1 (21.4 M
# parameters, 400 classes).
# Authors' code (Sense-X/UniFormer, uniformer_s16x4_k400): 16 frames (every 4th) of 224x224 RGB, ImageNet weights, AdamW
# 1e-4 with cosine and warm-up, 200 epochs, weight decay 0.05, stochastic depth 0.1, RandAugment, mixup and cutmix.
# Here: from scratch, flow u, v, strain, all frames of the store (16) at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='UniFormer',
        depth=[3, 4, 8, 3],
        embed_dim=[64, 128, 320, 512],
        head_dim=64,
        drop_path_rate=0.1,
        pretrained=None,
        pretrained2d=False),
    cls_head=dict(
        type='I3DHead', in_channels=512, spatial_type='avg', dropout_ratio=0.0, topk=(1,), average_clips='prob'))
input = dict(channels=['u', 'v', 'strain'], size=112)
