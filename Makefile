# make run     install what is missing, then train, vote, judge and explain on the synthetic cohort
# make test    the same for tests: ruff, mypy --strict, pytest
# make check   the quick part of it, under two minutes: ruff, mypy --strict, the core's fast tests
# make fuzz    read N damaged files of every kind and N/10 runs and bundles (N=20000 for a night)
# make attack  damage every file of a finished run in every way, and go on with it, report and predict
# make locked  install for tests exactly what the lock names, each file held to its hash (Linux, 3.11)
# make lock    write the lock and its bill of materials anew; UPGRADE=--upgrade takes newer versions
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A test's process gets one core; whoever is free takes the next test.
WORKERS ?= auto
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

LOCK := requirements/linux-py311.lock
SBOM := requirements/sbom.cdx.json
TOOLS := build/lock-tools
LOCKED := build/locked
# A release from a stolen account is found out within days, so none younger than a week is taken.
LOCKING := --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
  --exclude-newer "7 days" --constraint constraints.txt --custom-compile-command "make lock"

.PHONY: run test check lint fuzz attack locked lock clean
run: $(VENV)/.installed
	$(BIN)/echokit run ph-newborn

test: lint
	$(PYTEST)

check: lint
	$(PYTEST) -m "not slow" tests/echokit

N ?= 2000
fuzz: $(VENV)/.installed-test
	PYTHONPATH=tests/support $(BIN)/python tests/support/fuzz_night.py $(N)

attack: $(VENV)/.installed-test
	ECHOKIT_ATTACK=1 $(BIN)/pytest -s -k damaged_in_every_way tests/echokit/runs/test_damage.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

locked:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(VENV)/.installed-test

# The bill lists a new environment that the lock alone has filled: so the lock is known to install.
lock:
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv==0.13.9 cyclonedx-bom==7.5.0
	$(TOOLS)/bin/uv pip compile $(LOCKING) $(UPGRADE) --extra test --output-file $(LOCK) pyproject.toml
	$(PYTHON) -m venv --clear --without-pip $(LOCKED)
	$(PYTHON) -m pip --python $(LOCKED)/bin/python install --quiet --require-hashes --requirement $(LOCK)
	$(TOOLS)/bin/cyclonedx-py environment $(LOCKED)/bin/python --pyproject pyproject.toml \
	  --output-reproducible | $(PYTHON) requirements/sbom.py > $(SBOM)
	rm -rf $(TOOLS) $(LOCKED)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
