# The loaders of prepared data. Folders, label scheme and subjects are filled in for every fold.
folds = dict(type='loso')  # 'leave_one_dataset_out', or 'group_kfold' with n_splits=10: folds by subject
action_units = None  # numbers of the action units to learn beside the emotion, such as [1, 2, 4]
# what the network sees of a clip: channels such as ['u', 'v'] (None: all flow), frames ('apex' or how many; None: all;
# `repeat` takes each several times where the clip has fewer),
# size in pixels (None: as stored), whether each channel is standardised on the training clips, and whether the method
# needs 'aligned' faces (None: any); also centre=True, scale='rms', resize='area' and mirror_test=True, see
# docs/adding_a_model.md
input = dict(channels=None, frames=None, repeat=False, size=None, normalise=True, faces=None)
data_variant = None  # the same clips prepared otherwise, in folders with this name behind theirs: ablations/flow_dis.py
# clips stay in memory, or on the GPU, where they fit: `resident` of FlowStoreDataset
flow_store = dict(
    type='FlowStoreDataset',
    ann_file='annotations.csv',
    data_prefix=dict(store='store'),
    pipeline=[
        dict(type='LoadFlowClip'),
        dict(
            type='PackActionInputs',
            meta_keys=('sample_id', 'subject', 'img_shape', 'action_units', 'action_unit_targets')),
    ])
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=flow_store)
test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**flow_store, test_mode=True))
del flow_store
