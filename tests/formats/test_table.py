"""The table of formats, and what opening it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from superres.errors import OptionError
from superres.formats import FORMATS, picture_suffixes
from superres.formats.table import format_of_name, format_of_suffix


@pytest.mark.parametrize("name", FORMATS)
def test_every_line_names_what_exists(name: str) -> None:
    entry = FORMATS[name]
    for reference in filter(None, (entry.reader, entry.writer)):
        module, function = reference.split(":")
        assert callable(getattr(importlib.import_module(module), function))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in entry.suffixes)


def test_suffixes_are_unique() -> None:
    every = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    assert len(every) == len(set(every)) and picture_suffixes() == frozenset(every)


def test_names() -> None:
    assert format_of_suffix(".JPG") == "jpeg"
    assert format_of_name("JPG") == format_of_name("jpeg") == "jpeg"
    assert format_of_name("tif") == "tiff"
    with pytest.raises(OptionError, match="did you mean '.png'"):
        format_of_suffix(".pgn")
    with pytest.raises(OptionError, match="did you mean 'webp'"):
        format_of_name("webpp")


def test_import_is_light() -> None:
    code = (
        "import sys, superres.formats; print([m for m in ('pyvips', 'PIL', 'torch', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
