# RCN-F (Xia, Peng, Khor, Feng and Zhao, IEEE TIP 29, 2020, https://arxiv.org/abs/2006.09674).
# Source: MeNets.py, ModelTrain_Final.py and README.md of the authors' repository
# xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec.
# Setting: the defaults of that program: 64 maps, 7x7 before the classifier, batches of 64, SGD with learning rate 5e-4
# and momentum 0.9, 100 epochs, cross-entropy without class weights, single precision, the last epoch. Its schedule is
# made, but never stepped.
# Not mixed with it: the README's example for SMIC, 32 maps, 5x5, 20 epochs (it calls ModelEval_Final.py, which is not
# there), and a public reproduction of RCN-A (tvaranka/meb), 64 maps at 60x60, SGD 1e-4 with weight decay 5e-4, 500
# epochs. The paper itself was not at hand.
# Ours: 28x28, the size of the published flow pictures; the program takes pictures as they are and does not say a size.
# Deviations: each channel is standardised on the training clips (the authors' pictures run from 0 to 1).
# The authors' RCN_F calls its stream of dilation 2 twice and never that of dilation 3 (and its constructor fails);
# here, as in their RCN_W and RCN_C, the third stream has dilation 3.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='RCN', channels=64, stem='wide', block=None),
    cls_head=dict(type='RCNHead', in_channels=64, pool_size=7, attention='inside'))
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
class_weight = None
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=5e-4, momentum=0.9))
param_scheduler = []
train_dataloader = dict(batch_size=64)
amp = False
