# The loaders of a prepared data set. Its folder, classes and subjects are filled in for every fold.
flow_store = dict(
    type='FlowStoreDataset',
    ann_file='annotations.csv',
    data_prefix=dict(store='store'),
    pipeline=[
        dict(type='LoadFlowClip'),
        dict(type='PackActionInputs', meta_keys=('sample_id', 'subject', 'img_shape')),
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
