"""What an import may cost, and who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import superres

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "openvino", "pyvips", "rich", "typer", "onnx", "onnxruntime", "onnxscript", "PIL", "skimage", "scipy")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_superres_is_light() -> None:
    loaded = loaded_after("import superres")
    assert not loaded & {*HEAVY, "numpy"}


@pytest.mark.parametrize("name", ["Image", "models", "Options", "Upscaler", "upscale", "read", "load_model"])
def test_public_names_load_no_trainer_and_no_runtime(name: str) -> None:
    loaded = loaded_after(f"import superres; superres.{name}")
    assert not loaded & {*HEAVY}


def test_the_default_runtime_needs_nothing_but_itself() -> None:
    loaded = loaded_after("import superres.backends.openvino, superres.formats.vips, superres.pipeline")
    assert not loaded & {"torch", "onnx", "onnxruntime", "onnxscript", "PIL"}


def test_all_is_sorted_and_complete() -> None:
    assert superres.__all__ == sorted(superres.__all__)
    assert set(superres.__all__) == {*superres._LAZY, "__version__"}
    for name in superres.__all__:
        assert getattr(superres, name) is not None


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'upscael'"):
        _ = superres.upscael  # type: ignore[attr-defined]


def test_every_module_keeps_its_list_of_names() -> None:
    """``__all__`` of each module names things that exist, in order, with nothing twice."""
    import importlib

    for path in sorted((ROOT / "superres").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[1] in ("training", "networks", "degrade", "deploy") or parts[-1] == "__main__":
            continue  # these need torch
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        module = importlib.import_module(name)
        listed = getattr(module, "__all__", [])
        assert len(listed) == len(set(listed)), name
        assert [entry for entry in listed if not hasattr(module, entry)] == [], name


def test_layers() -> None:
    """import-linter's contracts in pyproject.toml."""
    pytest.importorskip("importlinter")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
