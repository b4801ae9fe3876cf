"""Which action units move for which emotion in synthetic clips, and the objective class of a set of action units.

The combinations are common ones of the Facial Action Coding System (Ekman, Friesen and Hager 2002; prototypes of
EMFACS), chosen so that their objective class (Davison et al., arXiv 1708.07549 and 1805.02397, table 9) is the one
that goes with the emotion there. Within a data set each combination belongs to one emotion.
"""

import re
from collections.abc import Iterable

# Emotion -> combinations of action units; L and R are the person's left and right.
ACTION_UNITS = {
    'negative': ('4', '9', '15', '4+9', '1+4+15'),
    'positive': ('6', '12', '6+12', '12+25'),
    'surprise': ('1+2', '5', '25+26', '1+2+26'),
    'happiness': ('12', '6+12', '7+12', '6+7+12'),
    'anger': ('4', '4+7', '4+5'),
    'tense': ('4', '4+7'),
    'disgust': ('9', '10', '4+9', '7+10'),
    'sadness': ('1', '15', '1+4', '15+17'),
    'fear': ('20', '1+2+4'),
    'contempt': ('L14', 'R14'),
    'repression': ('14', '17', '14+17'),
    'others': ('7', '2', '7+25'),
}
BLINK = '45'

# Class -> combinations: "The Objective Classes of Micro-Expression", table 9 of arXiv 1805.02397; all others are VII.
OBJECTIVE_CLASSES = {
    'I': '6, 12, 6+12, 6+7+12, 7+12',
    'II': '1+2, 5, 25, 1+2+25, 25+26, 5+24',
    'III': '23, 4, 4+7, 4+5, 4+5+7, 17+24, 4+6+7, 4+38',
    'IV': '10, 9, 4+9, 4+40, 4+5+40, 4+7+9, 4+9+17, 4+7+10, 4+5+7+9, 7+10',
    'V': '1, 15, 1+4, 6+15, 15+17',
    'VI': '1+2+4, 20',
}


def split_unit(name: str) -> tuple[str, int]:
    """Return side ('L', 'R' or '') and number of an action unit."""
    side, number = re.fullmatch(r'([LR]?)(\d+)', name).groups()
    return side, int(number)


def unit_numbers(combinations: Iterable[str]) -> list[int]:
    """Return the numbers of all action units that occur, in order."""
    return sorted({split_unit(name)[1] for units in combinations for name in units.split('+')})


def objective_class(units: Iterable[str]) -> str:
    """Return the objective class I to VII of action units, on either side of the face."""
    numbers = {split_unit(name)[1] for name in units}
    for name, combinations in OBJECTIVE_CLASSES.items():
        if numbers in ({int(unit) for unit in units.split('+')} for units in combinations.split(', ')):
            return name
    return 'VII'
