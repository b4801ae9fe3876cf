# OFF-ApexNet (Gan, Liong, Yau, Huang and Tan, Signal Processing: Image Communication 74, 2019,
# https://arxiv.org/abs/1805.08699).
# Published: onset-apex flow, u and v as 28x28, a stream each; convolutions 5x5 with 6 and 16 filters that keep the
# size, each with a 2x2 max-pool; two layers of 1024 on both streams. The authors publish no program.
# From the public re-implementation ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet: dropout 0.5 after the layers of 1024,
# Adam with learning rate 1e-4 (the reproduction in tvaranka/meb too), batches of 64, 3000 epochs (there too),
# cross-entropy without class weights, 2.66 M parameters. It reports the epoch that is best on the held-out subjects.
# Ours: ReLU after each convolution (not in the re-implementation); each channel is standardised on the training clips;
# single precision; the last epoch is scored.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='OFFApexNet'),
    cls_head=dict(type='FlatHead', in_channels=1024))
input = dict(channels=['u', 'v'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=3000)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = []
train_dataloader = dict(batch_size=64)
amp = False
