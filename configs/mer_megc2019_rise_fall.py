# The multi-scale 3D-ResNet50 for two 28x28 flow pictures a clip, rise and fall, 68 folds: that for the rise alone, whose stem
# and blocks have kernels over the two steps of time too.
_base_ = 'mer_megc2019_flow.py'
dataset = 'megc2019_rise_fall'
data_root = 'data/megc2019_rise_fall'
data_source = dict(prepare='python tools/prepare.py flow-images FOLDER_OF_PICTURES --steps rise fall')
model = dict(backbone=dict(conv1_kernel=(3, 5, 5), max_kernel_t=(3, 3, 3, 3)))
