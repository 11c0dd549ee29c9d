"""Upscaler.file against faults: kills, full disks, bad targets, networks and inputs that fail half way."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from tiny_models import NEAREST_HALO, NearestBackend, nearest_model, open_nearest, picture, put

from superres.backends import Backend
from superres.errors import InferenceError, InputError, LimitError, OptionError, OutputError
from superres.formats import Limits, read_image, write_image
from superres.options import VideoOptions
from superres.pipeline import Options, Result, Upscaler

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small PNG, alone in its folder."""
    path = tmp_path / "small.png"
    write_image(picture(60, 50), path)
    return path


@pytest.fixture
def convert(tiny_folder: Path) -> Callable[..., Result]:
    """``Upscaler.file`` with the fake nearest-neighbour backend."""

    def run(source: Path | bytes, target: Path | None, *, opener: Any = open_nearest, **arguments: Any) -> Result:
        given = {name: arguments.pop(name) for name in ("report", "stream", "name") if name in arguments}
        options = Options(**({"scale": 2, "model": "nearest", "tile": 16} | arguments))
        with Upscaler(options, folder=tiny_folder, opener=opener) as upscaler:
            return upscaler.file(source, target, **given)

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def workers() -> list[str]:
    """Threads of a conversion that are still there."""
    return [t.name for t in threading.enumerate() if t.name.startswith(("superres-prefetch", "encode-"))]


# --- What goes well -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_from_file_to_file_is_what_happens_in_memory(
    convert: Any, tiny_folder: Path, tmp_path: Path, channels: int, dtype: str, scale: float
) -> None:
    image = picture(33, 21, channels, dtype)
    write_image(image, tmp_path / "small.tif")
    convert(tmp_path / "small.tif", tmp_path / "large.tif", scale=scale)
    with Upscaler(Options(scale=scale, model="nearest"), folder=tiny_folder, opener=open_nearest) as upscaler:
        expected = upscaler.image(image)
    assert np.array_equal(read_image(tmp_path / "large.tif").samples, expected.samples)
    assert names(tmp_path) == ["large.tif", "small.tif"]


def test_the_result_and_its_progress(convert: Any, source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = convert(source, tmp_path / "large.png", scale=6, report=lambda *done: seen.append(done))
    assert (result.source_size, result.target_size) == ((50, 60), (300, 360))
    assert result.networks == ("nearest x2", "nearest x3")
    assert (result.source, result.target) == (str(source), str(tmp_path / "large.png"))
    assert result.seconds > 0
    assert seen[-1] == (360, 360)
    assert seen == sorted(set(seen))
    assert len(seen) > 2
    with Pillow.open(tmp_path / "large.png") as large:
        expected = read_image(source).samples.repeat(6, axis=0).repeat(6, axis=1)
        assert np.array_equal(np.asarray(large), expected)


def test_from_bytes_to_a_stream(convert: Any, source: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    result = convert(source.read_bytes(), None, stream=stream, format="png")
    assert (result.source, result.target) == ("standard input", "standard output")
    with Pillow.open(io.BytesIO(stream.getvalue())) as large:
        assert large.size == (100, 120)
    assert names(tmp_path) == ["small.png"]


def test_paths_may_be_text(convert: Any, source: Path, tmp_path: Path) -> None:
    result = convert(str(source), str(tmp_path / "large.png"))
    assert (result.source, result.target) == (str(source), str(tmp_path / "large.png"))
    with pytest.raises(OutputError, match="input itself"):
        convert(str(source), str(source), overwrite=True)


def test_again_gives_the_same_bytes(convert: Any, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.png"
    convert(source, target)
    first = target.read_bytes()
    convert(source, target, overwrite=True)
    assert target.read_bytes() == first


# --- What fails before any work -------------------------------------------------------------------------------------


@pytest.fixture
def idle() -> Callable[..., Backend]:
    """An opener for targets that must be refused before a network is even loaded."""

    def opener(*_: Any, **__: Any) -> Backend:
        pytest.fail("a network was loaded")

    return opener


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "where", ["missing/large.png", "small.png", "link.png", "folder", "folder.png", "small.png/x.png"]
)
def test_bad_targets_are_refused_before_inference(
    convert: Any, idle: Any, source: Path, tmp_path: Path, where: str, overwrite: bool
) -> None:
    (tmp_path / "link.png").symlink_to(source)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.png").mkdir()
    before, contents = names(tmp_path), source.read_bytes()
    with pytest.raises((OutputError, OptionError), match=r"link\.png|small\.png|large\.png|folder|suffix"):
        convert(source, tmp_path / where, opener=idle, overwrite=overwrite)
    assert names(tmp_path) == before
    assert source.read_bytes() == contents
    assert (tmp_path / "link.png").is_symlink()
    assert workers() == []


def test_an_existing_target_is_kept(convert: Any, idle: Any, source: Path, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        convert(source, tmp_path / "large.png", opener=idle)
    assert (tmp_path / "large.png").read_bytes() == b"precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_targets_are_refused_before_inference(convert: Any, idle: Any, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.png"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.raises(OutputError, match="read-only"):
        convert(source, target, opener=idle, overwrite=True)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(OutputError, match="not writable"):
        convert(source, locked / "large.png", opener=idle)


@pytest.mark.parametrize(
    ("target", "arguments", "error"),
    [
        ("large.xyz", {}, OptionError),
        ("large.gif", {}, OptionError),
        ("large.png", {"quality": 50}, OptionError),
        ("large.png", {"format": "pgn"}, OptionError),
        ("large.png", {"scale": 17}, OptionError),
        ("large.png", {"size": (10, 0), "scale": None}, OptionError),
        ("large.png", {"limits": Limits(output_pixels=11_999)}, LimitError),
        ("large.png", {"limits": Limits(input_pixels=2_999)}, LimitError),
        ("large.webp", {"scale": 16, "memory": 10**9}, None),
    ],
)
def test_impossible_wishes_are_refused_before_inference(
    convert: Any, idle: Any, source: Path, tmp_path: Path, target: str, arguments: dict[str, Any], error: Any
) -> None:
    if error is None:
        convert(source, tmp_path / target, **arguments)
        return
    with pytest.raises(error):
        convert(source, tmp_path / target, opener=idle, **arguments)
    assert names(tmp_path) == ["small.png"]


@pytest.mark.parametrize(
    ("source", "target", "arguments", "told"),
    [
        ("p.png", "l.png", {"video": VideoOptions(start=1)}, "is a picture; for video alone, leave out: --start"),
        ("a.gif", "l.gif", {"video": VideoOptions(codec="av1", end=2)}, "leave out: --codec, --end"),
        ("p.png", "l.png", {"video": VideoOptions(preset="slow")}, "leave out: --preset"),
        ("p.png", "l.png", {"video": VideoOptions(deinterlace=True, reuse=0)}, "leave out: --deinterlace, --reuse"),
        ("p.png", "l.png", {"video": VideoOptions(frame_rate=Fraction(25))}, "leave out: --frame-rate"),
        ("v.nii", "l.nii", {"video": VideoOptions(start=1)}, "is nifti; for video alone, leave out: --start"),
        ("a.gif", "l.gif", {"compression": "small"}, "is an animation; --compression small is for PNG and TIFF"),
        ("c.mp4", "l.mp4", {"compression": "small"}, "a video's file; --compression small is for PNG and TIFF"),
        ("c.mp4", "l.mp4", {"format": "webm"}, "l.mp4 is named as a file of another: .* or name l.webm with -o"),
        ("c.mp4", "%d.png", {"format": "mp4"}, "unknown picture format 'mp4'"),
        ("c.mp4", "%d.png", {"format": "tif"}, "%d.png is named as a file of another"),
        ("v.nii", "l.nii.gz", {"format": "nii"}, "l.nii.gz is named as a file of another: .* or name l.nii with -o"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    convert: Any, idle: Any, source: str, target: str, arguments: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = tmp_path / source
    if source == "a.gif":
        frames = [Pillow.new("L", (8, 8), shade) for shade in (0, 99)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif source == "p.png":
        write_image(picture(9, 9), path)
    else:  # the first bytes say what it is
        path.write_bytes(bytes(344) + b"n+1\0" + bytes(200) if source == "v.nii" else b"\x1a\x45\xdf\xa3")
    with pytest.raises(OptionError, match=told):
        convert(path, tmp_path / target, opener=idle, **arguments)
    assert names(tmp_path) == [source]


def test_transparency_into_jpeg_is_refused_before_inference(convert: Any, idle: Any, tmp_path: Path) -> None:
    write_image(picture(9, 9, 4), tmp_path / "small.png")
    with pytest.raises(OptionError, match="transparency"):
        convert(tmp_path / "small.png", tmp_path / "large.jpg", opener=idle)


# --- What fails half way --------------------------------------------------------------------------------------------


class Breaking(NearestBackend):
    """Fails at its fifth tile."""

    error: BaseException = InferenceError("the cable was pulled")

    def run(self, batch: np.ndarray) -> np.ndarray:
        if len(self.shapes) == 4:
            raise self.error
        return super().run(batch)


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_network_that_fails_leaves_nothing(convert: Any, source: Path, tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "large.png"
    if old:
        target.write_bytes(old)
    with pytest.raises(InferenceError, match=r"tile at column \d+, row \d+ of 50 x 60: the cable"):
        convert(source, target, opener=lambda name, model, **_: Breaking(model), overwrite=True)
    assert (target.read_bytes() if target.exists() else None) == old
    assert names(tmp_path) == sorted(["small.png", *(["large.png"] if old else [])])
    assert workers() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug"), SystemExit(1)])
def test_any_exception_cleans_up(convert: Any, source: Path, tmp_path: Path, error: BaseException) -> None:
    class Odd(Breaking):
        pass

    Odd.error = error
    with pytest.raises(type(error)):
        convert(source, tmp_path / "large.png", opener=lambda name, model, **_: Odd(model))
    assert names(tmp_path) == ["small.png"]
    assert workers() == []


def test_a_report_that_fails_cleans_up(convert: Any, source: Path, tmp_path: Path) -> None:
    def report(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        convert(source, tmp_path / "large.png", report=report)
    assert names(tmp_path) == ["small.png"]
    assert workers() == []


def test_stopping_waits_for_a_tile_not_for_a_strip(
    convert: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(picture(16, 640), source, overwrite=True)
    failed = threading.Event()

    class Full:
        def write(self, rows: np.ndarray) -> None:
            failed.set()
            raise OutputError("the disk is full")

        def abort(self) -> None:
            pass

    class Slow(NearestBackend):
        def run(self, batch: np.ndarray) -> np.ndarray:
            if len(self.shapes) >= 80:  # of the second strip
                assert failed.wait(20)
                time.sleep(0.02)
            return super().run(batch)

    slow = Slow(b"nearest:2")
    monkeypatch.setattr("superres.pipeline.open_writer", lambda *_, **__: Full())
    with pytest.raises(OutputError):
        convert(source, tmp_path / "large.png", opener=lambda *_, **__: slow, tile=8)
    assert len(slow.shapes) < 130
    assert workers() == []


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_damaged_input_leaves_nothing(convert: Any, tmp_path: Path, kept: float) -> None:
    whole = tmp_path / "small.png"
    write_image(picture(300, 200), whole)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(whole.read_bytes()[: int(kept * whole.stat().st_size)])
    with pytest.raises(InputError, match=r"damaged\.png"):
        convert(damaged, tmp_path / "large.png")
    assert names(tmp_path) == ["damaged.png", "small.png"]
    assert workers() == []


def test_a_stream_that_breaks_is_an_output_error(convert: Any, source: Path) -> None:
    class Broken(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(OutputError):
        convert(source, None, stream=Broken(), format="png")
    assert workers() == []


def test_one_failure_does_not_spoil_the_next(tiny_folder: Path, source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(source.read_bytes()[:200])
    options = Options(scale=2, model="nearest")
    with Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler:
        with pytest.raises(InputError):
            upscaler.file(broken, tmp_path / "a.png")
        upscaler.file(source, tmp_path / "b.png")
    assert names(tmp_path) == ["b.png", "broken.png", "small.png"]


# --- Processes that end badly ---------------------------------------------------------------------------------------

SCRIPT = """
import resource, sys, time
from pathlib import Path
import numpy as np
from superres.errors import SuperresError
from superres.pipeline import Options, Upscaler

folder, source, target, pause, most = sys.argv[1:]
if int(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))

class Nearest:
    precision, lanes = "fp32", 1
    def run(self, batch):
        time.sleep(float(pause))
        return batch.repeat(2, axis=2).repeat(2, axis=3)
    def close(self):
        pass

def report(done, total):
    print(done, total, flush=True)

options = Options(scale=2, model="nearest", precision="fp32", tile=16, overwrite=True)
with Upscaler(options, folder=Path(folder), opener=lambda *_, **__: Nearest()) as upscaler:
    try:
        upscaler.file(Path(source), Path(target), report=report)
    except SuperresError as error:
        sys.exit(f"{type(error).__name__}: {error}")
print("finished", flush=True)
"""


def start(folder: Path, source: Path, target: Path, *, pause: float = 0.01, most: int = 0) -> subprocess.Popen[str]:
    arguments = [str(value) for value in (folder, source, target, pause, most)]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("reports", [0, 1, 2, 3, 4])
def test_killed_at_any_point_the_target_is_the_old_or_the_new_one(
    convert: Any, tiny_folder: Path, source: Path, tmp_path: Path, reports: int
) -> None:
    """60 rows in strips of 16: four reports.  After the last one the kill races with the commit."""
    convert(source, tmp_path / "expected.png", precision="fp32")
    new = (tmp_path / "expected.png").read_bytes()
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "large.png"
    target.write_bytes(b"old")
    process = start(tiny_folder, source, target)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for _ in range(reports):
            assert process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
    assert target.read_bytes() in (b"old", new)
    assert [name for name in names(folder) if not name.startswith(".")] == ["large.png"]
    # What was left behind does not disturb the next run, which gives what an undisturbed one gives.
    convert(source, target, precision="fp32", overwrite=True)
    assert target.read_bytes() == new


def test_interrupted_it_stops_and_cleans_up(tiny_folder: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.png"
    process = start(tiny_folder, source, target, pause=0.5)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "finished" not in output
    assert "KeyboardInterrupt" in errors
    assert process.returncode not in (0, None)
    assert names(tmp_path) == ["small.png"]


def test_no_room_on_the_disk(tiny_folder: Path, source: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: writing fails in the same place."""
    target = tmp_path / "large.png"
    target.write_bytes(b"old")
    process = start(tiny_folder, source, target, pause=0, most=3000)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "finished" not in output
    assert errors.startswith("OutputError: "), errors
    assert "large.png" in errors
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["large.png", "small.png"]


def test_a_full_disk_only_noticed_at_the_end(
    convert: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "large.png"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        convert(source, target, overwrite=True)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["large.png", "small.png"]


def test_what_was_begun_is_there_when_the_upscaler_is_left(tiny_folder: Path, source: Path, tmp_path: Path) -> None:
    targets = [tmp_path / f"large{index}.png" for index in range(3)]
    options = Options(scale=2, model="nearest", tile=16)
    with Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler:
        begun = [upscaler.begin(source, target) for target in targets]
    expected = read_image(source).samples.repeat(2, 0).repeat(2, 1)
    for future, target in zip(begun, targets, strict=True):
        assert future.done() and future.result().target == str(target)
        np.testing.assert_array_equal(read_image(target).samples, expected)
    assert names(tmp_path) == ["large0.png", "large1.png", "large2.png", "small.png"]


def test_a_disk_that_is_full_after_the_last_row_is_told_by_what_was_begun(
    tiny_folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with Upscaler(Options(scale=2, model="nearest"), folder=tiny_folder, opener=open_nearest) as upscaler:
        begun = upscaler.begin(source, tmp_path / "large.png")
        with pytest.raises(OutputError, match="disk is full"):
            begun.result()
    assert names(tmp_path) == ["small.png"]


def test_what_cannot_begin_says_so_at_once(tiny_folder: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"old")
    options = Options(scale=2, model="nearest")
    with (
        Upscaler(options, folder=tiny_folder, opener=open_nearest) as upscaler,
        pytest.raises(OutputError, match="exists already"),
    ):
        upscaler.begin(source, tmp_path / "large.png")


def test_the_halo_of_the_fake_network_is_used(tmp_path: Path) -> None:
    """Guards the tests above: tiles of 16 in a picture of 60 x 50 make several strips and windows with a halo."""
    put(nearest_model(2), tmp_path)
    backends: list[NearestBackend] = []

    def opener(name: str, model: bytes, **_: Any) -> Backend:
        backends.append(NearestBackend(model))
        return backends[-1]

    options = Options(scale=2, model="nearest", tile=16)
    with Upscaler(options, folder=tmp_path, opener=opener) as upscaler:
        upscaler.image(picture(60, 50))
    assert len(backends[0].shapes) == 16
    assert backends[0].shapes[0][2:] == (16 + 2 * NEAREST_HALO,) * 2
