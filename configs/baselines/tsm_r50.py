# TSM with a ResNet-50: Lin et al., "TSM: Temporal Shift Module for Efficient Video Understanding", ICCV 2019,
# https://arxiv.org/abs/1811.08383. Network as in MMAction2's _base_/models/tsm_r50.py with 16 segments: in every
# residual branch an eighth of the channels moves to the next frame, and an eighth to the one before. The parameters are
# those of ResNet-50 (23.87 M, 174 classes).
# Model zoo: 8 or 16 frames of 224x224 RGB, ImageNet weights, SGD 0.02 in steps, batch 128, 50 epochs, dropout 0.5.
# Here: from scratch, flow u, v, strain, 16 frames at 112x112, the project's AdamW schedule.
model = dict(
    _delete_=True,
    type='Recognizer2D',
    data_preprocessor=dict(type='FlowDataPreprocessor', layout='frames', flip_prob=0.5),
    backbone=dict(
        type='ResNetTSM',
        depth=50,
        num_segments=16,  # the frames of a clip: of another length, clips would mix
        shift_div=8,
        pretrained=None,
        pretrained2d=False,
        norm_eval=False),
    cls_head=dict(
        type='TSMHead',
        in_channels=2048,
        num_segments=16,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        init_std=0.001,
        is_shift=True,
        topk=(1,),
        average_clips='prob'))
input = dict(frames=16, repeat=True, size=112)
