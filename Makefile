# make demo: synthetic data, four methods, a leaderboard.  make test: all checks.  make install: only the environment.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
DEMO ?= demo

.PHONY: demo test install clean

install: .venv/installed

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo 'error: Python 3.10, 3.11 or 3.12 is needed and none was found; give it as make PYTHON=PATH' >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,faces]'
	$(BIN)/python -c 'import cv2; cv2.optflow.DualTVL1OpticalFlow_create' || { echo 'error: OpenCV does not load or lacks TV-L1: install the system libraries libgl1 and libglib2.0-0, then run $(BIN)/python -m pip install --force-reinstall --no-deps opencv-contrib-python' >&2; exit 2; }
	touch $@

test: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

TRAIN = $(BIN)/python tools/train.py configs/mer_smic.py
REDUCED = --override configs/reduced/quarter_width.py

demo: install
	@echo '== synthetic faces in the folder layout of SMIC-HS'
	@$(BIN)/python tools/prepare.py synthetic --like smic --out $(DEMO)/raw
	@echo '== optical flow'
	@$(BIN)/python tools/prepare.py smic --raw $(DEMO)/raw --out $(DEMO)/smic --clip-len 8 --size 56
	@echo '== still pictures of the same clips, for the control'
	@$(BIN)/python tools/prepare.py smic --raw $(DEMO)/raw --out $(DEMO)/smic_still --clip-len 8 --size 56 --flow still
	@echo '== the full model, leave one subject out'
	@$(TRAIN) --data-root $(DEMO)/smic --work-dir $(DEMO)/runs/full $(REDUCED)
	@for ablation in no_multiscale no_attention single_head; do \
		echo "== ablation $$ablation"; \
		$(TRAIN) --data-root $(DEMO)/smic --work-dir $(DEMO)/runs/$$ablation $(REDUCED) ablations/$$ablation.py || exit; \
	done
	@echo '== control: the full model on the still pictures, which show no motion, must stay near chance (1/3)'
	@$(TRAIN) --data-root $(DEMO)/smic_still --work-dir $(DEMO)/still_control $(REDUCED)
	@echo '== leaderboard'
	@$(BIN)/python tools/leaderboard.py $(DEMO)/runs --out $(DEMO)/leaderboards/synthetic_smic.md

clean:
	rm -rf .venv $(DEMO)
