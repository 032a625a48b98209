# make demo           install into .venv, make a synthetic CT, segment it, print the table, write the picture
# make demo CT=path   the same with a CT of yours
# make test           install and run all tests, in as many processes as there are cores (4 at most)
# make coverage       the same, and which share of FlareSegLib's lines ran, also in child processes
# make fuzz SECONDS=60  fuzz every reader of strangers' files, so long each (installs atheris)
# make bench          the benchmark against nnU-Net's own predictor (installs nnunetv2, takes half an hour)
# make bench-scaling  how the time grows with slices, spacing and threads: a table and scaling.png
# make bench-training the benchmark against nnU-Net's own trainer and loader (installs the same)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
CT ?= demo/phantom.nii.gz
SECONDS ?= 60

.PHONY: demo test coverage fuzz bench bench-scaling bench-training lint clean

demo: $(VENV)/installed
	@mkdir -p demo
	@test "$(CT)" != demo/phantom.nii.gz || $(BIN)/flareseg phantom -o demo/phantom.nii.gz --overwrite
	$(BIN)/flareseg segment "$(CT)" -o demo/organs.seg.nrrd --preview demo/organs.png --report demo/organs.json --overwrite
	@echo; echo 'Look at demo/organs.png; 3D Slicer opens demo/organs.seg.nrrd. Research use only.'

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

coverage: $(VENV)/installed-test
	$(PIP) pytest-cov
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered

fuzz: $(VENV)/installed-test
	$(PIP) -e ".[fuzz]"
	$(BIN)/python -m Testing.fuzz --seconds $(SECONDS)

bench: $(VENV)/installed-bench
	$(BIN)/python Testing/benchmarks/predictor.py

bench-scaling: $(VENV)/installed-bench
	$(BIN)/python Testing/benchmarks/scaling.py --plot scaling.png

bench-training: $(VENV)/installed-bench
	$(BIN)/python Testing/benchmarks/training.py

lint: $(VENV)/installed-test
	$(PIP) ruff mypy
	$(BIN)/ruff check FlareSegLib Testing FlareSeg FlareSegEditor
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'FlareSeg needs Python 3.11 or later; set PYTHON=…')"
	@echo 'Installing into $(VENV): some minutes and 1.5 GB or more ...'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

# dynamic-network-architectures (nnU-Net's network classes) without its dependencies: they would replace torch
$(VENV)/installed-test: $(VENV)/installed
	$(PIP) -e ".[test]"
	$(PIP) --no-deps dynamic-network-architectures
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(PIP) -e ".[bench]"
	@touch $@
