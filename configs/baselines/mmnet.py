# MMNet (Li et al., "MMNet: Muscle Motion-guided Network for Micro-expression Recognition", IJCAI 2022,
# https://arxiv.org/abs/2201.05297). From the authors' code, muse1998/MMNet, CASME2_5.py: AdamW with learning rate 8e-4
# and weight decay 0.6, times 0.987 after each of the first 50 epochs, 74 epochs, batches of 32, cross-entropy without
# class weights, a transformer of 2 layers. (CASME2_3.py, for three classes, has a stem that PyTorch refuses: 3 channels
# in 2 groups; it has 3 layers of half the hidden width, weight decay 0.7, 99 epochs, batches of 24. The settings for
# five classes hold for any number here.) Frames of 224x224: prepare the data with --size 224, or smaller ones are
# enlarged. Deviations:
# - The frames are grey, as red, green and blue alike.
# - Onset and apex are the annotated frames; in training the authors draw them from up to 4 % of the way between.
# - Mirrored and shifted at random, by up to 15 pixels of 224; the authors also turn by 3 degrees. What comes in at the
#   border is the picture's own border here and the mean colour of ImageNet there.
# - The last epoch is scored; the authors report the best epoch of each held-out subject, for accuracy and F1 apart.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.5, max_shift=15 / 224),
    backbone=dict(type='MMNet', depth=2, num_heads=4, mlp_ratio=4),
    cls_head=dict(type='FlatHead', in_channels=512 * 14 * 14))
input = dict(channels=['grey', 'change'], frames='apex', size=224, normalise=False)  # the network itself normalises
class_weight = None
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=74)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='AdamW', lr=8e-4, weight_decay=0.6))
amp = False
param_scheduler = [dict(type='ExponentialLR', gamma=0.987, end=51)]  # the 51st and later steps change nothing
