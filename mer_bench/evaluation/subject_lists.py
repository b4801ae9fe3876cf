"""Lists of predictions and labels, one pair per subject: as scripts print them, as JSON, or as a Python dict.

- What scripts print for each held-out subject: `Subject: sub01`, `Predicted : [0, 0, 1]`,
  `Ground Truth : [0, 1, 1]`, as those of STSTNet and HTNet do.
- `{'sub01': {'pred': [0, 0, 1], 'truth': [0, 1, 1]}}`, as JSON or as Python prints it; and a list of rows in JSON.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path

from mer_bench.errors import InputError
from mer_bench.evaluation.clip_lines import SYNONYMS, RawTable, name_columns
from mer_bench.evaluation.labels import shown

LONGEST_LITERAL = 2_000_000  # characters; ast takes some hundred bytes for each label
DEEPEST = 10  # brackets within brackets
ADVICE = "give {'sub01': {'pred': [0, 1], 'truth': [0, 0]}} or a csv with sample_id, y_true, y_pred"

TYPES = r'(?:np\.|numpy\.|torch\.)?(?:array|tensor|Tensor|u?int\d{0,2}|str_)'
REST = r'\s{0,20}(?:,\s{0,20}\w{1,20}=[\w.:\'"<>]{1,40}\s{0,20}){0,3},?\s{0,20}\)'
OF_NUMPY = re.compile(rf'\b{TYPES}\(\s{{0,20}}(\[[^\[\]()]*\]|[\w.+-]{{1,40}}|\'[^\'\\\n]{{0,99}}\'){REST}')
NUMBER = r'[+-]?(?:\d[\d.]{0,99}|\.\d{1,99})(?:e[+-]?\d{1,3})?(?=\s*(?:[,:\]})]|\Z))'
STRING = re.compile(r"""'[^'\\\n]*'|"[^"\\\n]*\"""")
PLAIN = re.compile(rf"""\s+|[\[\](){{}},:]|'[^'\\\n]*'|"[^"\\\n]*"|\b(?:None|True|False)\b|{NUMBER}""", re.ASCII)

PREDICTED = r'(?P<pred>(?:best\s{0,9})?(?:predicted|predictions?|preds?|y_pred)(?:\s{0,9}labels?)?)'
TRUE = r'(?:ground[ _]?truths?|truth|true(?:\s{0,9}labels?)?|y_true|gt|actual|labels?)'
LIST = re.compile(
    rf'(?<![\w\'"])(?:{PREDICTED}|{TRUE})\s{{0,20}}[:=]\s{{0,20}}(?:{TYPES}\(\s{{0,20}})?(?=\[)', re.IGNORECASE
)
SUBJECT = re.compile(
    r'(?<!this )(?<!each )(?<!per )\bsubject(?:[ _]?(?:name|id))?'
    r'(?:[ \t]{0,20}[:=][ \t]{0,20}|[ \t]{1,20}(?=\S{1,99}[ \t]{0,20}$))[\'"]?([\w./-]{1,99})',
    re.IGNORECASE | re.MULTILINE,
)


def read_subject_log(path: str | Path, data: bytes) -> RawTable | None:
    """Read the lists of predictions and labels printed for each subject; None where there are none.

    Subjects are named by lines like `Subject: sub01`, or numbered where the log has no such line.
    """
    text = data.decode()
    lists, subjects = [*LIST.finditer(text)], [*SUBJECT.finditer(text)]
    if len({bool(found['pred']) for found in lists}) < 2:
        return None
    pairs: dict[str | None, dict[str, list[str]]] = {}
    lines: dict[str | None, str] = {}
    subject, n_lists = None, 0
    for found in sorted([*lists, *subjects], key=lambda found: found.start()):
        if found.re is SUBJECT:
            subject = found[1]
        elif not subjects:
            subject = str(n_lists // 2 + 1)
        pair = pairs.setdefault(subject, {})
        lines[subject] = where = f'{path}, line {text.count(chr(10), 0, found.start()) + 1}'
        if found.re is SUBJECT:
            continue
        n_lists += 1
        key = 'y_pred' if found['pred'] else 'y_true'
        if subject is None or key in pair:
            raise InputError(
                f'{where}: expected one list of predictions and one of labels for each subject, but got a further '
                f'{shown(found[0])} {f"of {subject}" if subject else "without a subject"}; keep the lines of one run'
            )
        pair[key] = _labels(where, text[found.end() : text.find(']', found.end()) + 1])
    _refuse_odd(pairs, lines)
    return _table(path, pairs, lines)


def _refuse_odd(pairs: dict[str, dict[str, list[str]]], lines: dict[str, str]) -> None:
    """Refuse a subject without both lists, and a last pair that repeats all before it: its clips would count twice."""
    for subject, pair in pairs.items():
        if len(pair) < 2:
            raise InputError(
                f'{lines[subject]}: expected a list of predictions and one of labels for {subject}, but '
                f'{f"only {next(iter(pair))} is" if pair else "none is"} there; add what is missing'
            )
    *others, last = pairs
    keys = ('y_true', 'y_pred')
    if len(others) > 1 and all(
        pairs[last][key] == [label for each in others for label in pairs[each][key]] for key in keys
    ):
        raise InputError(
            f'{lines[last]}: expected the lists of one subject, but they repeat all lists above; remove them'
        )


def _labels(where: str, text: str) -> list[str]:
    """Return the labels of a list as Python or numpy prints it: '[0, 1]', '[0 1]'."""
    inner = OF_NUMPY.sub(r'\1', text)[1:-1].strip()
    if not text.endswith(']') or '[' in inner or '...' in inner:
        raise InputError(f'{where}: expected a list of labels as in [0, 1], but got {shown(text)}; give all of them')
    labels = inner.removesuffix(',').split(',') if ',' in inner else inner.split()
    return [label.strip().strip('\'"') for label in labels]


def read_dict(path: str | Path, data: bytes) -> RawTable | None:
    """Read JSON or a Python dict; None where the text is neither, as in a log that begins with a bracket.

    It is `{subject: {'pred': [...], 'truth': [...]}}`, also within `{dataset: ...}`; such lists without subjects; or a
    list of rows. Other columns, such as the names of the clips, are allowed.
    """
    try:
        content = _load(path, data.decode().strip())
    except RecursionError:
        raise InputError(f'{path}: expected lists of labels, but got brackets within brackets; {ADVICE}') from None
    if content is None:
        return None
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        keys = dict.fromkeys(key for row in content for key in row)
        content = {key: [row.get(key, '') for row in content] for key in keys}
    return _table(path, dict(_leaves(path, content)))


def _load(path: str | Path, text: str) -> object:
    """Return JSON, its numbers as text, or a Python literal; None where the text is neither."""

    try:
        once = partial(_once, path)
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=once)
    except InputError:
        raise
    except ValueError:
        text = OF_NUMPY.sub(r'\1', text)
    if PLAIN.sub('', text):  # a call, a name, a sum: none of them belongs in a list of labels
        return None
    depth = accumulate(1 if mark in '[({' else -1 for mark in re.findall(r'[\[\](){}]', STRING.sub('', text)))
    if len(text) > LONGEST_LITERAL or max(depth, default=0) > DEEPEST:
        raise InputError(
            f'{path}: expected a Python dict of at most {LONGEST_LITERAL} characters, {DEEPEST} brackets deep, but got '
            'more; save it with json.dump'
        )
    try:
        tree = ast.parse(text, mode='eval')
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                once([(getattr(key, 'value', None), None) for key in node.keys])
        return ast.literal_eval(tree)
    except InputError:
        raise
    except (ValueError, SyntaxError, TypeError, MemoryError):
        raise InputError(f'{path}: expected JSON or a Python dict, but it is cut off or damaged; {ADVICE}') from None


def _once(path: str | Path, pairs: Iterable[tuple]) -> dict:
    """Return a dict of (name, value) pairs; refuse a repeated name."""
    pairs = list(pairs)
    twice = [key for key, number in Counter(key for key, _ in pairs).items() if number > 1]
    if twice:
        raise InputError(f'{path}: expected each name once, but {shown(str(twice[0]))} is there twice; keep one')
    return dict(pairs)


def _leaves(path: str | Path, content: object, names: tuple[str, ...] = ()) -> Iterator[tuple[str, dict]]:
    """Yield (subject, its columns) of dicts within dicts; the subject is '' where there are none."""
    parts = {}
    if isinstance(content, dict):  # ' a' and 'a' are one name
        parts = _once(path, zip(name_columns([*map(str, content)]), content.values(), strict=True))
    if all(isinstance(parts.get(key), list) for key in ('y_true', 'y_pred')):
        yield (
            '/'.join(names),
            {key: cells for key, cells in parts.items() if key in SYNONYMS and isinstance(cells, list)},
        )
    elif parts and len(names) < 2 and all(isinstance(part, dict) for part in parts.values()):
        for name, part in zip(content, parts.values(), strict=True):
            yield from _leaves(path, part, (*names, str(name).strip()))
    else:
        place = f' in {shown("/".join(names))}' if names else ''
        raise InputError(f'{path}: expected lists of predictions and labels, found none{place}; {ADVICE}')


def _table(path: str | Path, leaves: dict[str, dict], lines: dict[str, str] | None = None) -> RawTable:
    """Join the columns of all subjects; `lines` gives the line of each in the file."""
    names = dict.fromkeys(key for columns in leaves.values() for key in columns)
    if any(leaves) or not {'subject', 'sample_id'} & {*names}:
        names['subject'] = None
    table = {name: [] for name in names}
    places = []
    for subject, columns in leaves.items():
        place, lengths = (lines[subject] if lines else path), {key: len(cells) for key, cells in columns.items()}
        n = lengths['y_true']
        if {*lengths.values()} != {n}:
            found = ' and '.join(f'{number} of {key}' for key, number in lengths.items())
            raise InputError(
                f'{place}: expected lists of one length for {subject or "all clips"}, but got {found}; correct it'
            )
        given = [subject] * n if subject else columns.get('subject', ['1'] * n)
        for name in names:
            table[name] += map(_text, given if name == 'subject' else columns.get(name, [''] * n))
        places += [(place, clip) for clip in range(1, n + 1)]

    def where(row: int) -> str:
        place, clip = places[row]
        subject = table['subject'][row] if 'subject' in table else ''
        return f'{place}, {f"subject {shown(subject)[1:-1]}, " if subject else ""}clip {clip}'

    return RawTable(table, where)


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell.strip()
    return str(cell) if cell is None or isinstance(cell, int | float) else '[...]'
