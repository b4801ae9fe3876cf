# MViTv2-S: Li et al., "MViTv2: Improved Multiscale Vision Transformers for Classification and Detection", CVPR 2022,
# https://arxiv.org/abs/2112.01526. Network as in MMAction2's _base_/models/mvit_small.py (34.5 M parameters, 400
# classes).
# Model zoo, after the paper: 16 frames of 224x224 RGB, from scratch, AdamW 1.6e-3 with cosine and warm-up, batch 512,
# 200 epochs, weight decay 0.05, dropout 0.5, stochastic depth 0.2, label smoothing 0.1, repeated augmentation,
# RandAugment, mixup and cutmix.
# Here: flow u, v, strain at 112x112, the project's AdamW schedule without warm-up, of the augmentations the mirror
# alone. The tables of relative positions are as small as the smaller grid.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5),
    backbone=dict(
        type='MViT', arch='small', pretrained=None, spatial_size=112, temporal_size=16, drop_path_rate=0.2),
    cls_head=dict(
        type='MViTHead', in_channels=768, dropout_ratio=0.5, label_smooth_eps=0.1, topk=(1,), average_clips='prob'))
input = dict(size=112)
