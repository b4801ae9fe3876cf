"""Writes a raw tree of procedural faces, with a progress bar."""

import shlex
from pathlib import Path

from mer_bench.datasets.synthetic.tree import write_synthetic_tree
from mer_bench.preparation.workers import progress_bar


def write_synthetic(
    out: str | Path, like: str, *, subjects: int, clips: int, seed: int, strength: float = 1, variant: str | None = None
) -> None:
    """Write a raw tree of procedural faces in the layout of the data set `like`, its sheet included."""
    with progress_bar() as bar:
        shown = bar.add_task('clips', total=subjects * clips)
        write_synthetic_tree(
            Path(out),
            like,
            subjects=subjects,
            clips_per_subject=clips,
            seed=seed,
            strength=strength,
            variant=variant,
            progress=lambda done, _: bar.update(shown, completed=done),
        )
    print(f'{subjects * clips} synthetic clips of {subjects} subjects in {out}')
    raw, prepared = shlex.quote(str(out)), shlex.quote(f'{out}_prepared')
    print(f'next: python tools/prepare.py {like} --raw {raw} --out {prepared}')
