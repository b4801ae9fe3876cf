# Multi-scale 3D ResNet-50 with attention fusion and several outputs, our reading of Jin et al.,
# Math. Biosci. Eng. 21(4), 2024, https://doi.org/10.3934/mbe.2024221.
base_channels = 64  # of the stem; the stages have 4, 8, 16 and 32 times as many
width = 256  # channels of every map between neck and head

method = 'multiscale_resnet3d50'
model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor'),
    backbone=dict(
        type='MultiScaleResNet3d',
        depth=50,
        base_channels=base_channels,
        kernel_sizes=(1, 3, 5),  # None: plain ResNet3d-50
        multiscale_stages=(0, 1, 2),
        reduction=8,
        out_indices=(1, 2, 3),
        pretrained=None),  # path of a 2D or 3D ResNet-50 checkpoint
    neck=dict(
        type='AttentionFusion',
        in_channels=[base_channels * 8, base_channels * 16, base_channels * 32],
        channels=width,
        attention='aff'),  # 'iaff', or None: plain sum
    cls_head=dict(
        type='MultiOutputHead',
        in_channels=[width] * 4,  # three scales and the fused map
        outputs='all',  # 'fused': a single output
        decision='mean',  # 'vote', 'max_confidence', 'last'
        scale_loss_weight=0.3,
        dropout_ratio=0.5))
del base_channels, width  # to override them, set them in model
