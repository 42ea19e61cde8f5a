# The environment is made once, in .venv, and again only when what it is made from changes.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: bench test check docs dist benchmarks clean

bench: .venv/made  ## the main job on simulated data
	$(BIN)/python run_bench.py --config configs/quickstart.yaml

test: .venv/made  ## the tests, each file in one of as many processes as there are cores
	$(BIN)/pytest -n logical --maxprocesses 8 --dist loadfile

check: .venv/made  ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: .venv/made  ## the site, into docs/_build/html; a warning or a broken link is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

dist: .venv/made  ## wheel and source distribution, into dist/
	$(BIN)/python -m hatchling build -d dist

benchmarks: .venv/made  ## speed and parity against peers; needs reddit under DATA_ROOT
	$(BIN)/python benchmarks/speed.py --data-root $(DATA_ROOT)
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/parity.py --data-root $(DATA_ROOT)

DATA_ROOT ?= datasets

.venv/made: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; give it as make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv
