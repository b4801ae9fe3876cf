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
        # the trunk of Hara et al., https://arxiv.org/abs/1711.09577: of 16 frames its stages see 8, 4, 2 and 1
        conv1_kernel=(7, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=2,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
        inflate=1,
        inflate_style='3x3x3',
        kernel_sizes=(1, 3, 5),  # None: the plain trunk
        max_kernel_t=(15, 7, 3, 1),  # longest kernel in time after each stage: 2T' - 1 where it sees T' frames
        multiscale_stages=(0, 1, 2),
        reduction=8,
        out_indices=(1, 2, 3),
        pretrained=None),  # path of a checkpoint of this trunk, or of a 2D ResNet-50
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
