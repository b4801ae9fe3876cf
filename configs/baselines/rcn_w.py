# RCN-W (Xia, Peng, Khor, Feng and Zhao, IEEE TIP 29, 2020, https://arxiv.org/abs/2006.09674).
# Source: MeNets.py, ModelTrain_Final.py and README.md of the authors' repository
# xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec.
# Published there: 32 maps, 5x5 before the classifier, batches of 64, learning rate 5e-4, cross-entropy (command of the
# README); SGD with momentum 0.9 at a constant rate (a schedule is made, but never stepped), 100 epochs (default of the
# program; the README's example has 20, and the program's defaults are 64 maps and 7x7), no class weights, single
# precision.
# Choices: 28x28 (the program takes flow pictures as they are and does not tell their size; -W gives 5x5 from 28x28).
# Deviations: each channel is standardised on the training clips (the authors' pictures run from 0 to 1).
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='RCN', stem='wide', block='recurrent'),
    cls_head=dict(type='RCNHead'))
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=5e-4, momentum=0.9))
param_scheduler = []
train_dataloader = dict(batch_size=64)
amp = False
