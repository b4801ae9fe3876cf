# SKD-TSTSAN (Zhu et al., "Three-Stream Temporal-Shift Attention Network Based on Self-Knowledge Distillation for
# Micro-Expression Recognition", 2024, https://arxiv.org/abs/2406.17538). From the authors' code,
# GuanghaoZhu663/SKD-TSTSAN: motion times 2, focal loss weighted by class, distillation 0.1 at temperature 3, features
# 1e-6; Adam with learning rate 1e-3, betas 0.9 and 0.99 and weight decay 5e-4, 20,000 steps of 16 clips: 1,300 epochs
# of CASME II; no augmentation.
# Their magnification modules start from weights learnt on COCO, and the whole network from macro-expressions. Neither
# is here: this is the network from scratch, a weaker method. Further deviations:
# - The flow from apex to offset is that from onset to offset minus that from onset to apex, since a store holds motion
#   from the onset. For the published input prepare with `--reference previous --clip-len 2` and set
#   model.backbone.flow_reference='previous'.
# - Flow and pictures are shrunk by averaging from 192x192; the authors interpolate, and store flow in 8 bits.
# - Class weights count the training clips; the authors count the whole data set.
# - The last epoch is scored; the authors report the best epoch of each held-out subject, and stop where all is right.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='SKDTSTSAN', amp_factor=2.0, flow_reference='onset'),
    cls_head=dict(
        type='SelfDistillationHead',
        in_channels=384,
        dropout_ratio=0.2,
        distillation=0.1,
        temperature=3.0,
        feature_weight=1e-6,
        loss_cls=dict(type='SoftmaxFocalLoss', gamma=2.0)))
# the frames are apex and offset; the network itself normalises
input = dict(channels=['grey', 'change', 'u', 'v'], frames=2, size=192, normalise=False)
class_weight = 'balanced'
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_epochs=1300)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99), weight_decay=5e-4))
param_scheduler = []
