PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo test lint system clean

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

test: $(STAMP)
	$(MAKE) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

system:
	bash scripts/system.sh

$(STAMP): pyproject.toml runtime/pyproject.toml scripts/system.sh
	bash scripts/system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ./runtime -e ".[export,test]"
	touch $(STAMP)

clean:
	rm -rf .venv build dist demo
