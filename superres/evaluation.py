"""Quality in the published protocol: ground truth -> bicubic low resolution -> enlarged -> PSNR and SSIM on luma.

The enlarger is any function from picture to picture.  :func:`model_enlarger` goes through
:class:`superres.pipeline.Upscaler`, tiles, rounding and all, so that a figure is what a user gets.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.atomic import replace_file
from superres.degrade import load_degradation
from superres.errors import InputError, OptionError, SuperresError, near_match
from superres.formats import picture_suffixes, read_image
from superres.image import Image
from superres.metrics.protocol import Score, score
from superres.pipeline import Options, Upscaler
from superres.resize import resize

__all__ = [
    "Enlarger",
    "GroundTruth",
    "SetScores",
    "bicubic_enlarger",
    "evaluate_pictures",
    "evaluate_set",
    "find_sets",
    "load_set",
    "model_enlarger",
    "write_csv",
    "write_json",
]

Bytes = npt.NDArray[np.uint8]

#: uint8 (h, w, 3) -> uint8 (scale*h, scale*w, 3)
Enlarger = Callable[[Bytes], Bytes]

#: Side of the window of SSIM: what must be left of a picture inside the border.
_WINDOW = 11


@dataclass(frozen=True)
class GroundTruth:
    """One picture of a test set: ``high`` uint8 (scale*h, scale*w, 3) and the ``low`` uint8 (h, w, 3) made from it."""

    file: str
    high: Bytes
    low: Bytes


@dataclass(frozen=True)
class SetScores:
    """What one method scored on one test set.

    Attributes:
        name: of the set.
        scale: enlargement factor.
        images: file name -> score, in the order of the names; at least one.
    """

    name: str
    scale: int
    images: Mapping[str, Score]

    @property
    def mean(self) -> Score:
        """Means over the pictures: each counts the same, whatever its size."""
        scores = list(self.images.values())
        return Score(float(np.mean([s.psnr for s in scores])), float(np.mean([s.ssim for s in scores])))


def find_sets(data: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """The test sets under ``data``: its subfolders that hold pictures, or ``data`` itself when it does.

    Args:
        data: a folder of sets such as ``Set5`` and ``B100``, or one set.
        names: the sets wanted, in the order wanted; all of them, sorted, when empty.

    Returns:
        Set name -> folder.

    Raises:
        OptionError: no such folder, no pictures in it or one level below, or an unknown name (the nearest is named).
    """
    if not data.is_dir():
        raise OptionError(f"{data}: there is no such folder; --data takes a folder of test sets, or one set")
    if _pictures(data):
        sets = {data.resolve().name: data}
    else:
        sets = {folder.name: folder for folder in sorted(data.iterdir()) if folder.is_dir() and _pictures(folder)}
    if not sets:
        raise OptionError(f"{data}: no pictures there nor in its subfolders; expected e.g. {data / 'Set5'}")
    for name in names:
        if name not in sets:
            raise OptionError(f"test set {name!r} is not in {data}: it has {sorted(sets)}{near_match(name, sets)}")
    return {name: sets[name] for name in names} if names else sets


def load_set(folder: Path, scale: int) -> list[GroundTruth]:
    """Read every ground-truth picture of a set, crop it to a multiple of ``scale``, and make its low resolution.

    The low resolution is that of MATLAB ``imresize`` on uint8: bicubic, antialiased, rounded after each axis.

    Args:
        folder: pictures of 8 bits; grey ones become three equal channels.
        scale: enlargement factor, 1 to 16.

    Raises:
        OptionError: no such folder, no pictures in it, or a scale out of range.
        InputError: a picture that is unreadable, transparent, deeper than 8 bits or too small; it is named.
    """
    if not 1 <= scale <= 16:
        raise OptionError(f"scale {scale}: evaluation takes a whole number from 1 to 16")
    if not folder.is_dir():
        raise OptionError(f"{folder}: there is no such folder of ground-truth pictures")
    files = _pictures(folder)
    if not files:
        raise OptionError(f"{folder}: no pictures there; expected one of {', '.join(sorted(picture_suffixes()))}")
    degrade = load_degradation("bicubic")
    pictures = []
    for file in files:
        high = _ground_truth(file, scale)
        pictures.append(GroundTruth(file.name, high, degrade(high, scale)))
    return pictures


def evaluate_pictures(name: str, pictures: Sequence[GroundTruth], scale: int, enlarge: Enlarger) -> SetScores:
    """Enlarge and score pictures that are in memory already: one set serves many methods.

    Args:
        name: of the set.
        pictures: from :func:`load_set`, at the same scale.
        scale: enlargement factor.
        enlarge: the method.

    Raises:
        OptionError: no pictures, or an enlarger whose result has another shape or dtype than the ground truth.
        SuperresError: whatever the enlarger raises.
    """
    if not pictures:
        raise OptionError(f"test set {name!r}: no pictures to evaluate")
    scores = {}
    for picture in pictures:
        result = enlarge(picture.low)
        if result.shape != picture.high.shape or result.dtype != np.uint8:
            raise OptionError(
                f"{name}/{picture.file}: the enlarger gave {result.dtype} {result.shape}, "
                f"expected uint8 {picture.high.shape} at x{scale}"
            )
        scores[picture.file] = score(result, picture.high, scale)
    return SetScores(name, scale, scores)


def evaluate_set(folder: Path, scale: int, enlarge: Enlarger) -> SetScores:
    """Score a method on a folder of ground-truth pictures.

    Args:
        folder: the set; its name becomes the result's.
        scale: enlargement factor, 1 to 16.
        enlarge: the method.

    Raises:
        OptionError, InputError: as :func:`load_set` and :func:`evaluate_pictures`.
    """
    return evaluate_pictures(folder.resolve().name, load_set(folder, scale), scale, enlarge)


def bicubic_enlarger(scale: int) -> Enlarger:
    """The baseline: MATLAB ``imresize`` bicubic by ``scale``, uint8 in and out."""

    def enlarge(low: Bytes) -> Bytes:
        return resize(low, scale=scale)

    return enlarge


def model_enlarger(model: str | Upscaler, scale: int, precision: str = "auto") -> Enlarger:
    """A shipped model, through the same path that files take.

    Args:
        model: a family name, such as ``standard``; or an open upscaler, which stays the caller's to close.
        scale: enlargement factor.
        precision: ``auto``, ``fp32`` or ``bf16``; not used with an open upscaler, whose own counts.

    Raises:
        ModelError: an unknown model.
        OptionError: an unknown precision, or an upscaler for another scale.
    """
    upscaler = Upscaler(Options(scale=scale, model=model, precision=precision)) if isinstance(model, str) else model
    if upscaler.options.scale != scale:
        raise OptionError(f"the upscaler is set to scale {upscaler.options.scale}, expected {scale}")

    def enlarge(low: Bytes) -> Bytes:
        return upscaler.image(Image.from_array(low)).samples

    return enlarge


def write_csv(results: Sequence[SetScores], target: Path) -> None:
    """Write ``set, scale, file, psnr, ssim``: one row per picture, and one ``mean`` row after each set.

    Raises:
        OutputError: the file cannot be written; it is as it was.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "scale", "file", "psnr", "ssim"])
    for result in results:
        for file, one in [*result.images.items(), ("mean", result.mean)]:
            writer.writerow([result.name, result.scale, file, f"{one.psnr:.6f}", f"{one.ssim:.8f}"])
    with replace_file(target) as stream:
        stream.write(text.getvalue().encode())


def write_json(results: Sequence[SetScores], target: Path) -> None:
    """Write a list of ``{"set", "scale", "mean": {...}, "images": {file: {"psnr", "ssim"}}}``.

    JSON has no infinity: the PSNR of a picture equal to its ground truth is ``null``.

    Raises:
        OutputError: the file cannot be written; it is as it was.
    """
    content = [
        {
            "set": result.name,
            "scale": result.scale,
            "mean": _plain(result.mean),
            "images": {file: _plain(one) for file, one in result.images.items()},
        }
        for result in results
    ]
    with replace_file(target) as stream:
        stream.write((json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def _plain(one: Score) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in asdict(one).items()}


def _pictures(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in picture_suffixes() and f.is_file())


def _ground_truth(file: Path, scale: int) -> Bytes:
    """uint8 (H, W, 3), H and W multiples of ``scale``."""
    try:
        image = read_image(file)
    except SuperresError as error:
        raise InputError(f"test picture cannot be used: {error}") from error
    info, samples = image.info, image.samples
    if info.dtype != np.uint8:
        raise InputError(f"{file}: {info.dtype} samples; the protocol takes 8-bit ground truth")
    if info.alpha and samples[:, :, -1].min() < 255:
        raise InputError(f"{file}: has transparent pixels, which the protocol does not know; flatten it first")
    height, width = (length // scale * scale for length in samples.shape[:2])
    smallest = _WINDOW + 2 * scale
    if min(height, width) < smallest:
        raise InputError(
            f"{file}: {info.width} x {info.height} pixels is too small at x{scale}: SSIM's window and the border "
            f"need {smallest} x {smallest}"
        )
    cropped = samples[:height, :width]
    return np.ascontiguousarray(cropped[:, :, :3] if info.colour == "rgb" else cropped[:, :, :1].repeat(3, axis=2))
