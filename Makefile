# Every target sets up what it needs; there is nothing to run first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
.PHONY: site serve test verify bench offline math check clean

site: $(VENV)/.site
	$(PY) -m mkdocs build --strict

serve: $(VENV)/.site
	$(PY) -m mkdocs serve

# Style, types, then behaviour. Browser tests need Chromium and npm: see README.
test: $(VENV)/.test check
	@if command -v npm >/dev/null; then npm ci --silent; fi
	$(PY) -m pytest -n auto --cov --cov-report=term:skip-covered --cov-fail-under=95

check: $(VENV)/.test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

verify: $(VENV)/.test
	$(PY) docs/_site/runner.py --verify

# npm brings Lighthouse.
bench: site $(VENV)/.test
	npm ci --silent --prefix bench && $(PY) -m bench

# To read, and search, without a server.
offline: site
	$(PY) docs/_site/offline.py

# Only needed when a note gains a formula: MathML is a committed record.
math: $(VENV)/.site
	npm ci --silent && $(PY) docs/_site/mathml.py

clean:
	rm -rf $(VENV) site site-offline.zip .cache node_modules

export NO_MKDOCS_2_WARNING := 1

$(VENV)/.site: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[site]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[site,test]'
	touch $@ $(VENV)/.site
