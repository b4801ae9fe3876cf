"""One spelling for what sheets and file names spell in many ways: emotions, objective classes, subjects and clips."""

import re

from mer_bench.errors import InputError

CORRECT_EMOTIONS = {
    'happy': 'happiness',
    'sad': 'sadness',
    'angry': 'anger',
    'other': 'others',
    'disgusted': 'disgust',
    'surprised': 'surprise',
    'repressed': 'repression',
    'comtempt': 'contempt',  # the sheet of CASME
}
EMOTIONS = ('negative', 'positive', 'surprise')  # the official order of the labels of MEGC2019: 0, 1, 2
OBJECTIVE_CLASSES = ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII')
NO_UNIT = re.compile(r'[LRTBA]? ?(?:AD|M) ?\d{1,2} ?[LR]?[A-E]?|soft focus', re.IGNORECASE)
DATASETS = {'smic': 'smic', 'smichs': 'smic', 'casme2': 'casme2', 'casmeii': 'casme2', 'samm': 'samm'}
SUBJECTS = {'smic': ('s{:02d}', 's0*{}'), 'casme2': ('sub{:02d}', 'sub0*{}'), 'samm': ('{:03d}', '{:03d}')}
NAMES_OF_SUBJECTS = {'smic': r's\d+', 'casme2': r'sub\d+', 'samm': r'\d+'}  # recognised by the name of a subject


def canonical_emotion(text: str) -> str:
    """Return an emotion in lower case under the name that label schemes use."""
    text = text.strip().lower()
    return CORRECT_EMOTIONS.get(text, text)


def canonical_objective_class(text: str) -> str:
    """Return I to VII from a roman or an arabic number (Davison et al., 2018); other text is returned unchanged."""
    if re.fullmatch('[1-7]', text):
        return OBJECTIVE_CLASSES[int(text) - 1]
    return text.strip().upper()


def no_unit(text: str) -> bool:
    """Return whether a text is no action unit: a descriptor (AD38), a movement code (M58) or SAMM's "soft focus"."""
    return bool(NO_UNIT.fullmatch(text.strip()))


def plain(text: str) -> str:
    """Return a text in lower case, without blanks and punctuation."""
    return re.sub(r'[^a-z0-9]', '', text.lower())


def spell(dataset: str | None, subject: str, clip: str, source: object) -> dict[str, str]:
    """Return dataset, subject and clip of SMIC, CASME II or SAMM as all tables and file names spell them here.

    SMIC s1 and s01 become s01, SAMM 6 and 006 become 006, also in the clip's name; a clip that repeats its subject
    (`sub11_EP15_04f`, `006_006_1_2`) loses the repetition.

    Args:
        dataset: in any usual spelling; None where the form of the subject's name gives it.
        subject: name of the subject.
        clip: name of the clip or of its file.
        source: the file, for the error message.
    """
    if isinstance(dataset, str):
        name = DATASETS.get(plain(dataset))
    else:
        name = next((name for name, form in NAMES_OF_SUBJECTS.items() if re.fullmatch(form, subject)), None)
    digits = re.search(r'(?<!\d)\d{1,9}(?!\d)', subject)
    if name is None or digits is None:
        raise InputError(
            f'{source}: expected subjects like s01 (smic), sub01 (casme2) or 006 (samm), found {subject!r}'
            f'{f" of the data set {dataset!r}" if isinstance(dataset, str) else ""}; correct the name'
        )
    number = int(digits[0])
    full, prefix = SUBJECTS[name]
    clip = re.sub(r'\.(png|jpg|bmp|avi)$', '', clip.strip(), flags=re.IGNORECASE).strip()
    rest = re.sub(rf'^(?:{prefix.format(number)}_)+', '', clip)
    subject = full.format(number)
    return {'dataset': name, 'subject': subject, 'clip': rest if name == 'casme2' else f'{subject}_{rest}'}
