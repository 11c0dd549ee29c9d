# The two commands that a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint types contracts unit readers clean

# Programs that check results once more, on Debian: tests without theirs skip, and say so.
READERS := ffmpeg dcmtk dicom3tools gdal-bin libimage-exiftool-perl

# What using the package needs: no torch.
$(VENV)/core.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

# What developing it needs.
$(VENV)/dev.stamp: $(VENV)/core.stamp
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/core.stamp
	@$(BIN)/python demo/demo.py

test: lint types contracts unit

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

contracts: $(VENV)/dev.stamp
	$(BIN)/lint-imports

unit: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

readers:
	apt-get update --quiet=2
	DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends $(READERS)

clean:
	rm -rf $(VENV) demo/out
