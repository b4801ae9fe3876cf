# The 442 published flow pictures of the MEGC2019 composite: SMIC, CASME II and SAMM in one LOSO run of 68 subjects
# (See et al., FG 2019, doi 10.1109/FG.2019.8756611).
_base_ = 'flow_store.py'
dataset = 'megc2019_flow'
data_root = 'data/megc2019_flow'
data_source = dict(
    owner='the authors of STSTNet or of a later MEGC2019 network, who publish the 28x28 flow pictures with their code',
    prepare='python tools/prepare.py flow-images FOLDER_OF_PICTURES')
label_scheme = 'megc2019_3class'
