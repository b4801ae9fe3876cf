"""The page that tries a model, in a real browser."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest

from mer_bench.inference.app import serve

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
LONGEST = 120_000  # milliseconds of a busy machine


@pytest.mark.skipif(not CHROMIUM, reason='chromium is not installed')
def test_a_video_is_predicted_and_explained_and_nothing_leaves_this_machine(model, clip_args, tmp_path):
    for needed in ('gradio', 'captum'):
        pytest.importorskip(needed)
    playwright = pytest.importorskip('playwright.sync_api')
    frames = [cv2.imread(str(path)) for path in sorted(clip_args['path'].glob('*.jpg'))]
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 25, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    app, address = serve(model, wait=False)
    try:
        with playwright.sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
            page, requests, faults = browser.new_page(), [], []
            page.set_default_timeout(LONGEST)
            page.on('request', lambda request: requests.append(request.url))
            page.on('console', lambda line: faults.append(line.text) if line.type == 'error' else None)
            page.goto(address)
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
            browser.close()
    finally:
        app.close()
    assert {urlsplit(url).hostname for url in requests if url.startswith('http')} == {'127.0.0.1'}
    assert not faults
