# Action units over six data sets, each held out once (CD6ME: Varanka et al., TAC 2023, arXiv 2211.11425).
_base_ = 'flow_store.py'
dataset = 'cd6me'
data_root = ['data/casme', 'data/casme2', 'data/samm', 'data/mmew', 'data/4dme', 'data/casme3']
data_source = ['casme', 'casme2', 'samm', 'mmew', '4dme', 'casme3']
label_scheme = 'composite_4class'
folds = dict(type='leave_one_dataset_out')
action_units = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17]
