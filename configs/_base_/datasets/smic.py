# SMIC-HS, three classes (Li et al., FG 2013, doi 10.1109/FG.2013.6553717).
_base_ = 'flow_store.py'
dataset = 'smic'
data_root = 'data/smic'
classes = ['negative', 'positive', 'surprise']
data_source = dict(
    owner='the University of Oulu, Center for Machine Vision and Signal Analysis (SMIC, signed agreement)',
    prepare='python tools/prepare.py smic --raw FOLDER_OF_SMIC')
