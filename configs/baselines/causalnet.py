# CausalNet (Zhang, Tang and Chen, "Rethinking Key-frame-based Micro-expression Recognition: A Robust and Accurate
# Framework Against Key-frame Errors", ICCV 2025, https://arxiv.org/abs/2508.06640).
# From the authors' code, tony19980810/CausalNet (main_train.py, Models.py): width 256, 3 heads, levels of 3, 3 and 9
# layers, gamma 0.5, Adam with learning rate 5e-5, 200 epochs, the whole training set as one batch, cross-entropy
# without class weights, no augmentation. 276.6 million parameters: for a GPU.
# Four pictures a clip: u, v and strain of rise and fall, and a map of the directions of each. For data of two frames,
# rise and fall, such as those of mer_megc2019_rise_fall.py. On other data the last frame takes the place of the fall,
# with the motion from the onset and not from the apex; flow in pixels needs model.backbone.rescale=True (ours).
# The direction maps are drawn from u and v. Their program is not published; drawn like this, 99.9 % of the pixels of
# the published pictures are the same. They show the angle of the levels from 0 to 255, not that of the motion.
# Deviations:
# - The last epoch is scored. The authors test on the held-out subject after each epoch, keep its best one
#   (`if best_accuracy_for_each_subject < val_acc` in main_train.py) and stop when all its clips are right. Their README
#   has layers and gamma chosen by the same scores, among 36 settings (main_train_for_parameter_tuning.py).
# Not a deviation: the authors' pictures come as blue, green, red, which permutes the first weights.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(
        type='CausalNet', dim=256, heads=3, block_repeats=(3, 3, 9), gamma=0.5, out_channels=2048, rescale=False),
    cls_head=dict(type='FlatHead', in_channels=2048))
input = dict(channels=['u', 'v', 'strain'], frames=2, size=28, normalise=False)  # the network makes levels of them
class_weight = None
train_dataloader = dict(batch_size=1024)
train_cfg = dict(max_epochs=200)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = []
amp = False
