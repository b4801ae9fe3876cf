# STSTNet (Liong, Gan, See, Khor and Huang, FG 2019, https://arxiv.org/abs/1902.03634).
# Source: main.py of the authors' repository christy1206/STSTNet, whose log gives UF1 0.7209 and UAR 0.7250 on the 442
# flow pictures.
# Published there: 28x28 pictures of u, v and strain as 8-bit levels without normalisation, Adam with learning rate
# 5e-5, batches of 256, 800 epochs, cross-entropy without class weights, the last epoch, single precision.
# The 800 epochs are those of main.py, as all else here. main.m, the MATLAB program of the paper, trains 500 epochs with
# the same rate and batches (an early version of it 5); its log gives UF1 0.7353.
# Deviations: each channel is standardised on the training clips (MATLAB subtracts the mean picture by default, main.py feeds the
# levels as they are, under which many filters see positive values alone and start dead); clips are shuffled (main.py
# reads them in the order of their classes).
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='STSTNet'),
    cls_head=dict(type='FlatHead', in_channels=400))
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=800)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = []
train_dataloader = dict(batch_size=256)
amp = False
