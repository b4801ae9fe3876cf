"""Where the owners of the data sets put frames and sheets, and how they name subjects and clips, for synthetic trees.

Every place is a format string. The words in it are those of :func:`clip_words`, and `frame`, the number of a frame.
"""

from dataclasses import dataclass, field, replace

from mer_bench.datasets.synthetic.clip import Timing
from mer_bench.datasets.synthetic.sheets import LEAD, STIMULI
from mer_bench.errors import InputError

VIDEOS = len(STIMULI)  # that clips of a subject come from, three from each before the next


@dataclass(frozen=True)
class Layout:
    """How one data set looks on the disk.

    Attributes:
        emotions: of the data set; the clips of a subject take them in turn.
        clip: name of a clip.
        frames: variant -> path of a frame; the first is the usual one.
        subjects: numbers of the subjects; after the last one they count on.
        sheets: path -> key of :data:`.sheets.SHEETS`; a path with a word is one file for each of its values.
        codes: emotion -> its code in names.
        timing: lengths and frame numbers.
        long: the variants whose folders hold `LEAD` more frames on either side, of a longer video.
        spacing: frames from one clip of a video to the next.
        people: data sets with the same word here show the same faces.
        flow: name of a clip's true flow, unique in the tree.
        still: path of the frames of a clip without an expression.
        strays: empty files that have nothing to do with the clips.
        macro: name of a macro-expression that the sheet lists with the clips of each subject.
        blemishes: (index of the subject, of the clip) -> cells that the sheet has instead of the true ones.
    """

    emotions: tuple[str, ...]
    clip: str
    frames: dict[str, str]
    subjects: tuple[int, ...] = (1,)
    sheets: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    long: tuple[str, ...] = ()
    spacing: int = 0
    people: str = ''
    flow: str = '{clip}'
    still: dict[str, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    macro: str = ''
    blemishes: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)


def find_layout(like: str, variant: str | None) -> tuple[Layout, str]:
    """Return the layout of a data set and the name of its variant, the first one if none is given."""
    if like not in LAYOUTS:
        raise InputError(f'like={like!r}: expected a data set: {", ".join(LAYOUTS)}; choose one of them')
    layout = LAYOUTS[like]
    variant = variant or next(iter(layout.frames))
    if variant not in layout.frames:
        raise InputError(f'variant={variant!r}: {like} has {", ".join(layout.frames)}; choose one of them')
    return layout, variant


def subject_number(layout: Layout, index: int) -> int:
    """Return the number of the subject at a place in the order of the tree."""
    known = len(layout.subjects)
    return layout.subjects[index] if index < known else max(layout.subjects) + 1 + index - known


def clip_timing(layout: Layout, variant: str, position: int) -> Timing:
    """Return the timing of a subject's clip; clips of one video follow each other."""
    shift = (clip_words(layout, 0, position)['take'] - 1) * layout.spacing
    low, high = layout.timing.first
    return replace(layout.timing, first=(low + shift, high + shift), lead=LEAD if variant in layout.long else 0)


def clip_words(layout: Layout, index: int, position: int) -> dict[str, str | int]:
    """Return the words for the format strings that hold for all frames of a clip.

    Args:
        layout: of the data set.
        index: of the subject, from 0.
        position: of the clip among those of the subject, from 0.
    """
    subject = subject_number(layout, index)
    emotion = layout.emotions[(index + position) % len(layout.emotions)]
    video = position // 3 % VIDEOS + 1
    title, code, name = STIMULI[video - 1]
    return {
        'subject': subject,
        'number': position + 1,
        'emotion': emotion,
        'code': layout.codes.get(emotion, ''),
        'repeat': position // len(layout.emotions) + 1,  # of the emotion
        'video': video,
        'letter': 'abcdefghijklm'[video - 1],
        'take': position % 3 + 1 + position // (3 * VIDEOS) * 3,  # of the video
        'stimulus': title,
        'stimulus_folder': f'{code}{name}',
        'digits': 4 + (subject + video) % 2,  # of the frame numbers, which differ from video to video
        'section': 'A' if subject < 8 else 'B',  # of CASME, each with its own padding
        'section_digits': 1 if subject < 8 else 3,
        'part': ('test_data_B', 'train_data', 'train_data', 'test_data_A')[subject % 4],
        'part_sheet': ('testB', 'training', 'training', 'testA')[subject % 4],
    }


def smic(camera: str, prefix: str, cropped: str, timing: Timing, subjects: tuple[int, ...]) -> Layout:
    """SMIC_all_cropped or SMIC_all_raw of one camera: HS, VIS or NIR."""
    trees = {
        'cropped': f'SMIC_all_cropped/{camera}/s{{subject}}/',
        'raw': f'SMIC_all_raw/{camera}/s{{subject}}/',
    }
    names = {'cropped': f'{cropped}{prefix}.bmp', 'raw': f'{prefix}.bmp'}
    return Layout(
        emotions=('negative', 'positive', 'surprise'),
        clip='s{subject}_{code}_{repeat:02d}',
        codes=SMIC_CODES,
        frames={key: trees[key] + 'micro/{emotion}/{clip}/' + names[key] for key in trees},
        still={key: trees[key] + 'non_micro/s{subject}_non_01/' + names[key] for key in trees},
        timing=timing,
        subjects=subjects,
    )


def smic_e(camera: str, prefix: str, sheet: str, timing: Timing, subjects: tuple[int, ...]) -> Layout:
    """SMIC-E_raw image, the longer clips around the same micro-expressions."""
    folder = f'SMIC-E_raw image/{camera}_long/'
    return Layout(
        emotions=('negative', 'positive', 'surprise'),
        clip='s{subject}_{code}_{repeat:02d}',
        codes=SMIC_CODES,
        frames={'raw': f'{folder}SMIC-{camera}-E/{camera}/s{{subject:02d}}/{{clip}}/{prefix}.jpg'},
        long=('raw',),
        sheets={f'{folder}{sheet}': f'smic_e_{camera.lower()}'},
        timing=timing,
        subjects=subjects,
    )


SMIC_CODES = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
# The subject numbers of SMIC-HS, in an order that mixes one and two digits early; VIS and NIR have the last ones.
SMIC_HS = (1, 3, 8, 11, 15, 20, 2, 4, 5, 6, 9, 12, 13, 14, 18, 19)
SMIC_SLOW = (11, 15, 20, 12, 13, 14, 18, 19)
HS_TIMING = Timing(first=(1_000, 990_000))
SLOW_TIMING = Timing(length=(8, 15), first=(100, 9_000))  # 25 fps

LAYOUTS = {
    'smic': smic('HS', 'image{frame:06d}', 'reg_', HS_TIMING, SMIC_HS),
    'smic_vis': smic('VIS', '{frame:05d}', 'reg_', SLOW_TIMING, SMIC_SLOW),
    'smic_nir': smic('NIR', '{frame:05d}', 'reg_', SLOW_TIMING, SMIC_SLOW),
    'smic_e_hs': smic_e('HS', 'image{frame:06d}', 'SMIC-HS-E_annotation_2019.xlsx', HS_TIMING, SMIC_HS),
    'smic_e_vis': smic_e('VIS', 'image {frame:05d}', 'SMIC_VIS_E_annotation.xlsx', SLOW_TIMING, SMIC_SLOW),
    'smic_e_nir': smic_e('NIR', '{frame:05d}', 'SMIC_NIR_E_annotation.xlsx', SLOW_TIMING, SMIC_SLOW),
    'casme2': Layout(
        emotions=('happiness', 'disgust', 'surprise', 'repression', 'others', 'sadness', 'fear'),
        clip='EP{video:02d}_{take:02d}f',
        frames={
            'cropped': 'Cropped/sub{subject:02d}/{clip}/reg_img{frame}.jpg',
            'raw': 'CASME2_RAW_selected/CASME2_RAW_selected/sub{subject:02d}/{clip}/img{frame}.jpg',
        },
        sheets={'CASME2-coding-20140508.xlsx': 'casme2', 'CASME2-ObjectiveClasses.xlsx': 'casme2_objective'},
        people='casme2',
        flow='sub{subject:02d}_{clip}',
        strays=('readme.pdf', 'note.txt'),
        blemishes={(1, 1): {'apex': '/'}, (1, 2): {'action_units': '?'}},
    ),
    'samm': Layout(
        emotions=('anger', 'happiness', 'surprise', 'contempt', 'others', 'disgust', 'fear', 'sadness'),
        clip='{subject:03d}_{video}_{take}',
        frames={
            'cropped': 'SAMM_CROP/{subject:03d}/{clip}/{subject:03d}_{frame:0{digits}d}.jpg',
            'raw': 'SAMM/{subject:03d}/{clip}/{subject:03d}_{frame:0{digits}d}.jpg',
        },
        subjects=tuple(number for number in range(6, 38) if number not in (8, 27, 29)),
        sheets={'SAMM_Micro_FACS_Codes_v2.xlsx': 'samm'},
        timing=Timing(first=(100, 9_000)),
        people='samm',
        blemishes={(1, 2): {'action_units': 'AU12A or AU14'}},
    ),
    'casme': Layout(
        emotions=('happiness', 'disgust', 'surprise', 'tense', 'repression', 'sadness', 'contempt', 'fear'),
        clip='EP{video:02d}_{take}',
        frames={
            'cropped': 'Cropped/sub{subject:02d}/{clip}/reg_{clip}-{frame}.jpg',
            'raw': 'CASME_{section}/Section {section}/sub{subject:02d}/{clip}/{clip}-{frame:0{section_digits}d}.jpg',
        },
        subjects=(1, 8, 2, 9, 3, 10, 4, 11, 5, 12, 6, 13, 7, 14, 15, 16, 17, 18, 19),
        sheets={'CASME_{section}/Section {section}/Section {section}.xls': 'casme'},
        people='casme',
        flow='sub{subject:02d}_{clip}',
    ),
    'casme_sq': Layout(
        emotions=('positive', 'negative', 'surprise', 'others'),
        clip='{stimulus}_{take}',
        frames={
            'cropped': 'cropped/{subject}/{clip}/img{frame}.jpg',
            'raw': 'rawpic/rawpic/s{subject}/{subject}_{stimulus_folder}/img{frame:03d}.jpg',
            'selected': 'selectedpic/selectedpic/s{subject}/{clip}/img{frame}.jpg',
        },
        subjects=(15, 16, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 40),
        sheets={'CAS(ME)^2code_final(Updated).xlsx': 'casme_sq'},
        timing=Timing(length=(9, 18), first=(20, 60)),
        long=('raw',),
        spacing=100,
        people='casme_sq',
        flow='s{subject}_{clip}',
        macro='anger2_9',
    ),
    'casme3': Layout(
        emotions=('happiness', 'disgust', 'surprise', 'others', 'fear', 'anger', 'sadness'),
        clip='spNO.{subject}_{letter}_{onset}',
        frames={
            'raw': 'part_A/data/part_A_split/part_A/spNO.{subject}/{letter}/color/{frame}.jpg',
            'clips': 'Part_A_ME_clip/frame/{clip}/{frame}.jpg',
        },
        sheets={'part_A/annotation/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx': 'casme3'},
        timing=Timing(first=(20, 60)),
        long=('raw',),
        spacing=100,
        people='casme3',
    ),
    'mmew': Layout(
        emotions=('happiness', 'disgust', 'surprise', 'others', 'fear', 'sadness', 'anger'),
        clip='S{subject:02d}-{code}-{repeat:03d}',
        codes=dict(happiness='01', surprise='02', disgust='03', others='04', fear='05', sadness='06', anger='07'),
        frames={'cropped': 'MMEW_Final/Micro_Expression/{emotion}/{clip}/{frame}.jpg'},
        sheets={'MMEW_Final/MMEW_Micro_Exp.xlsx': 'mmew'},
        timing=Timing(first=(1, 2)),
        people='mmew',
        strays=('MMEW_Final/Macro_Expression/happiness/S01-01-001/1.jpg',),
    ),
    '4dme': Layout(
        emotions=('positive', 'negative', 'surprise', 'repression', 'others'),
        clip='S{subject:02d}_1st_{video:03d}_{take:02d}_1',
        frames={
            'cropped': 'gray_micro_crop/{subject}/{clip}/Frame_{frame:09d}.jpg',
            'raw': 'gray_micro/{subject}/{clip}/Frame_{frame:09d}.jpg',
        },
        sheets={'4DME_Labelling_Micro_release v1.xlsx': '4dme'},
        timing=Timing(first=(100, 9_000)),
        people='4dme',
    ),
    'dfme': Layout(
        emotions=('happiness', 'disgust', 'surprise', 'anger', 'contempt', 'fear', 'sadness'),
        clip='sub{subject:04d}_{number:02d}',
        frames={'raw': '{part}/{part}/{clip}/{frame:05d}.png'},
        sheets={'full_release_annotation/{part_sheet}_full_with_AU.xlsx': 'dfme'},
        timing=Timing(first=(1, 60)),
        people='dfme',
    ),
}
