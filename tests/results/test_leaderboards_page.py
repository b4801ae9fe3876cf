"""docs/leaderboards.md: what it shows for a new metric, a new column and calls from Python works as the page says."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import recall_score

from mer_bench.evaluation.compare import compare
from mer_bench.evaluation.metrics import score
from mer_bench.results.leaderboard import leaderboard
from tests.conftest import ROOT
from tests.results.conftest import CLASSES, predictions

PAGE = (ROOT / 'docs' / 'leaderboards.md').read_text(encoding='utf-8')

# In a process of its own, since the columns of the tables are made of METRICS at the import.
PROGRAM = """
import sys
from mer_bench.evaluation import metrics
metrics.METRICS.append(eval(sys.argv[1], vars(metrics)))
from mer_bench.evaluation.report import format_scores
from mer_bench.results import rows
rows.REPRODUCED.append(eval(sys.argv[2], vars(rows)))
from mer_bench.results.leaderboard import write_leaderboard
print(format_scores(metrics.score(sys.argv[3])))
write_leaderboard([sys.argv[3]], sys.argv[4])
"""


def block_below(heading):
    return re.search(rf'## {heading}\n.*?```python\n(.*?)```', PAGE, re.DOTALL)[1]


def test_a_new_metric_and_a_new_column_are_one_entry_each(new_run, tmp_path):
    run, out = new_run('a', 'one wrong'), tmp_path / 'smic.md'
    entries = block_below('A new metric'), block_below('A new column')
    command = [sys.executable, '-c', PROGRAM, *entries, str(run), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    # the recalls are 1, 1 and 1/2
    frame = predictions('one wrong')
    recalls = recall_score(frame['y_true'], frame['y_pred'], average=None, labels=CLASSES)
    g_mean = np.prod(recalls) ** (1 / 3)
    header, _, full = done.stdout.splitlines()[:3]
    assert header.endswith('G-mean')
    assert f'{g_mean:.4f} [' in full
    header, _, row = [line.split('|') for line in out.read_text().splitlines() if line.startswith('|')][:3]
    cells = {name.strip(): cell.strip() for name, cell in zip(header, row, strict=True)}
    assert (cells['G-mean'], cells['GFLOPs']) == (f'{g_mean:.3f}', '10.00')
    assert 'g_mean,g_mean_sd' in out.with_suffix('.csv').read_text()


def test_the_calls_from_python_take_predictions(new_run):
    names = {
        'mer_bench': SimpleNamespace(score=score, compare=compare, leaderboard=leaderboard),
        'predictions': predictions('perfect'),
        'other': new_run('other', 'one wrong'),
    }
    exec(block_below('In Python'), names)
    assert names['table']['uf1'] == 1
    assert names['result'].differences['uf1'].value == pytest.approx(4 / 27)
    assert names['rows'].set_index('method').loc['mine', 'against_change'] == pytest.approx(4 / 27)
