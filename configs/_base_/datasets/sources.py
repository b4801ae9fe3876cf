# Who gives each data set, mostly after signing an agreement, and the command that prepares it.
casme_owner = 'the Institute of Psychology, Chinese Academy of Sciences (casme.psych.ac.cn, signed agreement)'
oulu = 'the University of Oulu, Center for Machine Vision and Signal Analysis (signed agreement)'
owners = {
    **dict.fromkeys(['smic', 'smic_vis', 'smic_nir', 'smic_e_hs', 'smic_e_vis', 'smic_e_nir', '4dme'], oulu),
    **dict.fromkeys(['casme', 'casme2', 'casme_sq', 'casme3'], casme_owner),
    'samm': 'Manchester Metropolitan University (SAMM, signed agreement)',
    'mmew': 'the authors of MMEW (Ben et al., TPAMI 2021, signed agreement)',
    'dfme': 'the authors of DFME (mea-lab-421.github.io, signed agreement)',
}
sources = {
    name: dict(owner=owner, prepare=f'python tools/prepare.py {name} --raw FOLDER_OF_{name.upper()}')
    for name, owner in owners.items()
}
sources['megc2019_flow'] = dict(
    owner='the authors of STSTNet or of a later MEGC2019 network, who publish the 28x28 flow pictures with their code',
    prepare='python tools/prepare.py flow-images FOLDER_OF_PICTURES')
del casme_owner, oulu, owners
