"""The page that tries a model, in a real browser."""

from pathlib import Path

import cv2
import pytest

from mer_bench.errors import InputError
from mer_bench.inference.app import frame_number, serve


def test_a_frame_is_a_number_or_left_open():
    assert [frame_number('apex', text) for text in ('', None, ' 12 ')] == [None, None, 12]
    with pytest.raises(InputError, match=r'apex 1\.5: expected the number of a frame'):
        frame_number('apex', '1.5')


def test_a_video_is_predicted_and_explained_and_nothing_leaves_this_machine(model, clip_args, tmp_path, open_page):
    for needed in ('gradio', 'captum'):
        pytest.importorskip(needed)
    frames = [cv2.imread(str(path)) for path in sorted(clip_args['path'].glob('*.jpg'))]
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 25, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    app, address = serve(model, wait=False)
    try:
        page, faults = open_page(address, ('error',))
        page.get_by_text('A micro-expression is no lie detector').wait_for()
        button = page.get_by_role('button', name='Predict')
        button.click()
        page.get_by_text('drop a video or record one first').wait_for()
        page.set_input_files('input[type=file]', video)
        page.locator('video').first.wait_for(state='attached')
        button.click()
        page.get_by_text('The probabilities are not calibrated').wait_for()
        page.locator('img[src*="explanation.png"]').wait_for()
        page.get_by_text('this network has one output').wait_for()
        assert [*Path(app.folder.name).rglob('clip.avi')]  # which ends with the page
        page.close()
    finally:
        app.close()
    assert faults == []
