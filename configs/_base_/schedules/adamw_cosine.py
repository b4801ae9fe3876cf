# AdamW with a cosine schedule over all epochs; the last epoch is the one that is scored.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min_ratio=0.01, convert_to_iter_based=True)]
# of the fold's training clips: class weights n / (classes * n_class), and sqrt(without / with) for a clip that shows an
# action unit; a number such as 0.75 is a power of these class weights; None weighs every clip alike
class_weight = 'balanced'
