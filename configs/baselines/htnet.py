# HTNet (Wang et al., "HTNet for micro-expression recognition", Neurocomputing 2024, https://arxiv.org/abs/2307.14637).
# From the authors' code, wangzhifengharrison/HTNet (main_HTNet.py): width 256, 3 heads, levels of 2, 2 and 10 layers,
# patches of 7 pixels, Adam with learning rate 5e-5, 800 epochs, batches of 256, cross-entropy without class weights,
# no augmentation. 139.6 million parameters: for a GPU.
# Like that code it takes the 28x28 flow pictures of STSTNet and lays four areas of 14x14 side by side. Deviations:
# - The areas are at fixed places. The authors find the face with MTCNN in each apex frame, shrunk to 28x28, and take
#   these same places only where it finds none; pictures of flow alone hold no landmarks.
# - Each channel is standardised on the training clips; the authors feed levels from 0 to 255.
# - Batches are shuffled; the authors keep the order of the files.
# - The last epoch is scored; the authors report the best epoch of each held-out subject.
model = dict(
    _delete_=True,
    type='Recognizer3D',
    data_preprocessor=dict(type='FlowDataPreprocessor', flip_prob=0.0),
    backbone=dict(type='HTNet', dim=256, heads=3, block_repeats=(2, 2, 10), patch_size=7),
    cls_head=dict(type='FlatHead', in_channels=1024))  # 4 x dim
input = dict(channels=['u', 'v', 'strain'], frames='apex', size=28)
class_weight = None
train_dataloader = dict(batch_size=256)
train_cfg = dict(max_epochs=800)
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-5))
param_scheduler = []
amp = False
