# CapsuleNet (Quang, Chun and Tokuyama, "CapsuleNet for Micro-Expression Recognition", FG 2019,
# https://doi.org/10.1109/FG.2019.8756544). From the authors' code, davidnvq/me_recognition: ResNet-18 to its third
# stage without max pooling, 1152 primary capsules, class capsules of 16, 3 rounds of routing, margins 0.99 and 0.01,
# weight 0.5 of the other classes; Adam with learning rate 1e-4, times 0.9 before each epoch (the first one too), 30
# epochs, batches of 32; levels divided by 255; no layer is frozen. Frames of 224x224: prepare the data with --size 224,
# or smaller ones are enlarged.
# Their ResNet-18 starts from ImageNet (one version of their program: from weights of facial expressions). Such weights are absent here and nothing is downloaded: without them this is the
# network from scratch, a weaker method. Set model.backbone.pretrained to the path of torchvision's checkpoint.
# Further deviations:
# - The frame is grey, as red, green and blue alike.
# - Classes are balanced by weights of the loss's terms. The authors balance by drawing further frames near the apex:
#   5 samples a clip of surprise, and as many of each class, which on the composite is 2.8 times our steps an epoch.
# - Mirrored and shifted at random, by up to 8 pixels of 240 both ways, the border coming in; the authors cut 224x224 out
#   of 234x240 (in the test out of the middle), and also turn by up to 8 degrees (in the test as well) and change
#   brightness, contrast, saturation and hue by 0.2.
# - The last epoch is scored; the authors report the best epoch of each held-out subject.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5, max_shift=8 / 240),
    backbone=dict(type='CapsuleNet', pretrained=None),  # path of an ImageNet checkpoint of ResNet-18
    cls_head=dict(
        type='CapsuleHead',
        in_channels=1152,
        routings=3,
        loss_cls=dict(type='CapsuleMarginLoss', upper=0.99, lower=0.01, others_weight=0.5)))
input = dict(channels=['grey'], frames='apex', size=224, normalise=False)
class_weight = 'balanced'
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=30)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=0.9e-4))
amp = False
param_scheduler = [dict(type='ExponentialLR', gamma=0.9)]
