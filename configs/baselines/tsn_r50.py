# TSN with a ResNet-50: Wang et al., "Temporal Segment Networks", ECCV 2016, https://arxiv.org/abs/1608.00859. Network
# as in MMAction2's _base_/models/tsn_r50.py (24.33 M parameters, 400 classes): a 2D network on every frame, the mean of
# their features is classified.
# Model zoo: 3, 5 or 8 frames of 224x224 RGB, ImageNet weights, SGD 0.01 in steps, batch 256, 100 epochs, dropout 0.4.
# Here: from scratch, flow u, v, strain of one moment in place of the paper's stack of five flow fields, all frames of
# the store (16) at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer2D',
    data_preprocessor=dict(type='FlowDataPreprocessor', layout='frames', flip_prob=0.5),
    backbone=dict(type='ResNet', depth=50, pretrained=None, norm_eval=False),
    cls_head=dict(
        type='TSNHead',
        in_channels=2048,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.4,
        topk=(1,),
        average_clips='prob'))
input = dict(size=112)
