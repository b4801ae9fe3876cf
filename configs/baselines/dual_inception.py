# Dual-Inception (Zhou, Mao and Xue, FG 2019, https://doi.org/10.1109/FG.2019.8756579).
# Source: dual_inception.py and image_process.py of the authors' repository xly135846/MEGC2019 (Keras).
# Published there: u and v as 28x28 pictures, Adam with learning rate 1e-4, batches of 3, 40 epochs, cross-entropy
# (class_weight='auto', which Keras 2 takes without weighing anything), single precision.
# Deviations: the apex as the second frame (the authors take the middle frame of every clip; for that, prepare the data
# with --apex middle); one channel a stream (theirs are grey pictures read as three equal channels); each channel is
# standardised on the training clips (theirs run from 0 to 1); training on all training subjects and the last epoch (they keep the epoch that is best
# on the other subjects of the held-out subject's data set, and train without these).
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='DualInception'),
    cls_head=dict(type='FlatHead', in_channels=1024))
input = dict(channels=['u', 'v'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=40)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = []
train_dataloader = dict(batch_size=3)
amp = False
