# Train on CASME II and test on SAMM, and the other way round: the hold-out database evaluation of MEGC2018.
_base_ = 'mer_megc2018_cde.py'
folds = dict(type='leave_one_dataset_out')
