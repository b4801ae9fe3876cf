# OFF-ApexNet (Gan, Liong, Yau, Huang and Tan, Signal Processing: Image Communication 74, 2019,
# https://arxiv.org/abs/1805.08699).
# Published: onset-apex flow, u and v as 28x28, a stream each; convolutions 5x5 with 6 and 16 filters that keep the
# size, each with a 2x2 max-pool; two layers of 1024 on both streams. The authors publish no program.
# 2.66 M parameters, as that re-implementation says too: ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet. Choices, where
# no program tells: ReLU after each convolution (not there) and layer; dropout 0.5 after the layers of 1024, as there; the schedule of STSTNet, which the same group
# published with its program for the same pictures (christy1206/STSTNet): Adam with learning rate 5e-5, batches of 256,
# 800 epochs, cross-entropy without class weights, single precision. Each channel is standardised on the training
# clips.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='OFFApexNet'),
    cls_head=dict(type='FlatHead', in_channels=1024))
input = dict(channels=['u', 'v'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=800)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = []
train_dataloader = dict(batch_size=256)
amp = False
