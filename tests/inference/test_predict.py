import json
import shutil

import cv2
import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.inference.report import read_spans
from tests.in_process import tool


@pytest.fixture
def listed(drawn, tmp_path):
    """A CSV with two drawn clips, paths relative to it."""
    shutil.copytree(drawn.frames, tmp_path / 'frames')
    rows = [
        f'frames/{clip.frames_dir},{clip.onset},{"" if pd.isna(clip.apex) else clip.apex},{clip.offset}.0'
        for clip in drawn.clips.head(2).itertuples()
    ]
    (tmp_path / 'clips.csv').write_text('path,onset,apex,offset\n' + '\n'.join(rows) + '\n')
    return tmp_path / 'clips.csv'


def test_clips_of_a_csv_are_predicted_as_table_csv_json_and_video(drawn, listed, tmp_path):
    done = tool('predict', drawn.model, listed, '--out', tmp_path / 'p.csv', '--video', tmp_path / 'seen.avi')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'no lie detector' in done.stdout
    assert 'not calibrated' in done.stdout
    table = pd.read_csv(tmp_path / 'p.csv')
    assert table['onset'].tolist() == drawn.clips['onset'].head(2).tolist()
    scores = table.filter(like='score_')
    assert scores.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert table['y_pred'].tolist() == scores.idxmax(axis=1).str.removeprefix('score_').tolist()
    assert table['y_pred'][0] in done.stdout
    video = cv2.VideoCapture(str(tmp_path / 'seen.avi'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS) == pytest.approx(8, abs=1)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith('.')] == []


def test_a_clip_that_cannot_be_read_does_not_stop_the_others(drawn, listed, tmp_path):
    done = tool('predict', drawn.model, tmp_path / 'nothing.mp4', listed, '--json')
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
    assert 'nothing.mp4: expected a video or a folder of frames' in done.stderr
    found = json.loads(done.stdout)
    assert len(found['predictions']) == 2
    assert 'no lie detector' in found['warning']


@pytest.mark.parametrize(
    ('words', 'what'),
    [
        (['a.mp4', 'b.mp4', '--apex', 3], 'of one clip'),
        (['a.mp4', '--out', 'p.txt'], 'ends in .csv or .json'),
        (['a.mp4', '--video', 'v.gif'], 'ends in .mp4, .avi'),
        (['a.mp4', '--video', 'no/such/v.mp4'], 'its folder does not exist'),
        (['a.mp4', '--video', 'seen.mp4'], 'found a folder'),
        (['a.csv'], 'a.csv'),
    ],
)
def test_a_mistake_is_answered_with_one_line(drawn, tmp_path, words, what):
    (tmp_path / 'seen.mp4').mkdir()
    done = tool('predict', drawn.model, *words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count('\n')) == (2, '', 1)
    assert what in done.stderr


@pytest.mark.parametrize(
    ('text', 'what'),
    [
        ('clip\na.mp4\n', 'expected clips in a column path, found clip'),
        ('path\n', 'found no row'),
        ('', 'it cannot be read'),
        ('path,apex\na.mp4,soon\n', "line 2: expected the number of a frame as apex, found 'soon'"),
        ('path,apex\na.mp4,-3\n', 'expected the number'),
        ('path,apex\na.mp4,1.5\n', 'expected the number'),
        (f'path,apex\na.mp4,{"9" * 5000}\n', 'expected the number'),
    ],
)
def test_a_csv_that_lists_no_clips_is_refused(tmp_path, text, what):
    (tmp_path / 'clips.csv').write_text(text)
    with pytest.raises(InputError, match=what):
        read_spans(tmp_path / 'clips.csv')
