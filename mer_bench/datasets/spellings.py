"""One spelling for what sheets spell in many ways: emotions, objective classes, codes beside action units."""

import re

EMOTIONS = {
    'happy': 'happiness',
    'sad': 'sadness',
    'angry': 'anger',
    'other': 'others',
    'disgusted': 'disgust',
    'surprised': 'surprise',
    'repressed': 'repression',
    'comtempt': 'contempt',  # so written in the sheet of CASME
}
OBJECTIVE_CLASSES = ('I', 'II', 'III', 'IV', 'V', 'VI', 'VII')
NO_UNIT = re.compile(r'[LRTBA]? ?(?:AD|M) ?\d{1,2} ?[LR]?[A-E]?|soft focus', re.IGNORECASE)


def canonical_emotion(text: str) -> str:
    """Return an emotion in lower case under the name that label schemes use."""
    text = text.strip().lower()
    return EMOTIONS.get(text, text)


def canonical_objective_class(text: str) -> str:
    """Return I to VII from a roman or an arabic number (Davison et al., 2018); other text stays as it is."""
    if re.fullmatch('[1-7]', text):
        return OBJECTIVE_CLASSES[int(text) - 1]
    return text.strip().upper()


def no_unit(text: str) -> bool:
    """Say whether a text is no unit: an action descriptor (AD38), a movement code (M58) or SAMM's "soft focus"."""
    return bool(NO_UNIT.fullmatch(text.strip()))
