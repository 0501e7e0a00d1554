# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Every installation passes constraints.txt, so it installs what the tests were run with.

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
# Two processes of one thread each: with more, they would wait for each other's cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test lint types docs dist clean-install notebook python bench format constraints clean

demo: $(VENV)/core.stamp
	$(BIN)/erlangen demo

test: $(VENV)/dev.stamp
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# All of the source, and then what type checkers see of the installed package's public names.
types: $(VENV)/dev.stamp
	$(BIN)/pyright
	$(BIN)/python scripts/check_types.py

docs: $(VENV)/dev.stamp
	$(BIN)/python -m sphinx -W --keep-going -q -j $(WORKERS) -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Wheel and source distribution in dist/, complete and without a warning.
dist: $(VENV)/dev.stamp
	$(BIN)/python scripts/check_distribution.py

# What a new user does, with the wheel in dist/ and nothing else installed.
clean-install: dist
	$(BIN)/python scripts/clean_install.py

# A fast selection of the tests on another Python, `make python VERSION=3.13`, or with the oldest versions allowed,
# `make python VERSION=3.11 PINS=constraints-min.txt`.
python:
	bash scripts/other_python.sh $(VERSION) $(or $(PINS),constraints.txt)

# What notebooks show, in a real kernel.
notebook: $(VENV)/dev.stamp
	$(BIN)/python scripts/notebook.py

# One benchmark by name, `make bench NAME=discover`; without a name, the list of names.
bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks $(NAME)

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Pins what is installed, the extras for users included. To move a pin, delete its line first.
constraints: $(VENV)/dev.stamp
	$(INSTALL) '.[dev,all]'
	$(BIN)/python scripts/pin.py > constraints.txt.new
	mv constraints.txt.new constraints.txt
	$(BIN)/python scripts/lower_bounds.py > constraints-min.txt.new
	mv constraints-min.txt.new constraints-min.txt

clean:
	rm -rf $(VENV) .venv-* dist docs/_build docs/generated docs/gallery

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "erlangen needs Python 3.11 or later; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) '.[dev]'
	@touch $(VENV)/core.stamp $@
