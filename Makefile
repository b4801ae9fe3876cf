# make demo: synthetic data, four methods, a leaderboard, pictures (mer-bench demo).  make test: all checks.  make install: only the environment.
# make fuzz: 100,000 damaged and hostile files at every function that reads one, 15 minutes on one core.
# make synthetic-leaderboard: every method in a reduced size on synthetic data, as in leaderboards/synthetic_smic.md.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
DEMO ?= demo
SWEEP ?= sweep

.PHONY: demo test fuzz install clean synthetic-leaderboard

install: .venv/installed

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo 'error: Python 3.10, 3.11 or 3.12 is needed and none was found; give it as make PYTHON=PATH' >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,faces]'
	$(BIN)/python -c 'import cv2; cv2.optflow.DualTVL1OpticalFlow_create' || { echo 'error: OpenCV does not load or lacks TV-L1: install the system libraries libgl1 and libglib2.0-0, then run $(BIN)/python -m pip install --force-reinstall --no-deps opencv-contrib-python' >&2; exit 2; }
	touch $@

test: install
	$(BIN)/python tools/leaderboard.py --check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# every function that reads what a stranger hands in, with damaged and hostile files; see docs/security.md
INPUTS ?= 100000
fuzz: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --inputs $(INPUTS)

demo: install
	@$(BIN)/mer-bench demo --out $(DEMO)

# in fp32 on every processor, in two folds, with small clips for networks of video: two cores need about an hour in all
synthetic-leaderboard: export ONEDNN_MAX_CPU_ISA = AVX512_CORE
SWEEP_ALL = $(BIN)/python tools/sweep.py --configs configs/mer_smic.py --data-root $(SWEEP)/smic --work-dir $(SWEEP)/runs
B = configs/baselines
R = configs/reduced
REDUCED_FULL = $R/quarter_width.py+$R/small_input.py+$R/two_folds.py
COMPONENTS = no_multiscale no_attention single_head
ANY_SIZE = majority class_prior logistic_regression linear_svm ridge one_hidden_layer lbp_top lbp_sip hog3d hoof bi_woof mdmo \
	off_apexnet ststnet dual_inception rcn_a rcn_s rcn_w rcn_f
VIDEO = i3d_r50 slowonly_r50 r2plus1d_r34 x3d_s slowfast_r50 csn_r50 mvit_s swin3d_t uniformer_s tsn_r50
LARGE = capsulenet mmnet

synthetic-leaderboard: install
	@$(BIN)/python tools/prepare.py synthetic --like smic --out $(SWEEP)/raw --clips 12
	@$(BIN)/python tools/prepare.py smic --raw $(SWEEP)/raw --out $(SWEEP)/smic --faces dlib --channels u v strain grey change
	-@$(SWEEP_ALL) --grid $(COMPONENTS:%=ablations/%.py) --with $R/quarter_width.py $R/small_input.py $R/two_folds.py
	-@$(SWEEP_ALL) --no-full --overrides $(ANY_SIZE:%=$B/%.py) $B/htnet.py+$R/narrow_htnet.py --with $R/two_folds.py
	-@$(SWEEP_ALL) --no-full --overrides $(VIDEO:%=$B/%.py+$R/small_clips.py) timm_resnet18+$R/small_clips.py \
		$B/c3d.py+$R/small_clips_c3d.py $B/tsm_r50.py+$R/small_clips_tsm.py $(LARGE:%=$B/%.py+$R/few_epochs.py) --with $R/two_folds.py
	@echo '== the components on more clips and subjects, with three seeds'
	@$(BIN)/python tools/prepare.py synthetic --like smic --out $(SWEEP)/raw_24 --subjects 24 --clips 12 --strength 0.6
	@$(BIN)/python tools/prepare.py smic --raw $(SWEEP)/raw_24 --out $(SWEEP)/smic_24 --clip-len 8 --size 48
	-@$(BIN)/python tools/sweep.py --configs configs/mer_smic.py --data-root $(SWEEP)/smic_24 --work-dir $(SWEEP)/components --no-full \
		--overrides $(REDUCED_FULL) $(patsubst %,$(REDUCED_FULL)+ablations/%.py,$(COMPONENTS) apex_only) --seeds 0 1 2
	@$(BIN)/python tools/leaderboard.py --collect $(SWEEP)/runs --into results/synthetic_smic
	@$(BIN)/python tools/leaderboard.py --collect $(SWEEP)/components --into results/synthetic_smic_24
	@$(BIN)/python tools/leaderboard.py

clean:
	rm -rf .venv $(DEMO) $(SWEEP)
