"""A folder of pairs: ``low/NAME.png``, ``high/NAME.png`` and ``pairs.csv``, one row for every pair that is whole."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from superres.atomic import replace_file
from superres.cli.codes import OK, SOME_FAILED
from superres.cli.progress import PictureProgress
from superres.errors import InputError, OutputError, SuperresError
from superres.formats import read_image, write_image
from superres.image import Image, Metadata

__all__ = ["PairFolder", "read_plain", "run_each"]

Bytes = npt.NDArray[np.uint8]


class PairFolder:
    """Where pairs go.  A pair's row is written when both of its pictures are there, and gone before they change.

    Args:
        folder: made if absent.
        columns: of the table, after ``name``.
        overwrite: whether pairs that are there may be replaced.

    Raises:
        OutputError: the folder cannot be made, or its ``pairs.csv`` cannot be read or has other columns.
    """

    def __init__(self, folder: Path, columns: Sequence[str], overwrite: bool) -> None:
        self._folder, self._columns, self._overwrite = folder, ["name", *columns], overwrite
        self._table = folder / "pairs.csv"
        try:
            for part in ("low", "high"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            text = self._table.read_text(encoding="utf-8") if self._table.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(f"{folder}: cannot be used as a folder of pairs: {error}") from error
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if text and list(reader.fieldnames or []) != self._columns:
            raise OutputError(
                f"{self._table}: its columns are not {', '.join(self._columns)}; choose another folder with -o"
            )
        self._rows = {row["name"]: row for row in reader}

    def holds(self, name: str, settings: Mapping[str, object]) -> bool:
        """Whether the pair is there already, made with these settings.

        Raises:
            OutputError: it is there, made with others, and may not be replaced.
        """
        row = self._rows.get(name)
        files = [self._folder / part / f"{name}.png" for part in ("low", "high")]
        if self._overwrite or row is None or not all(file.exists() for file in files):
            return False
        for key, value in settings.items():
            if row[key] != str(value):
                raise OutputError(
                    f"{files[0]} was made with {key} {row[key]}, not {value}: use --overwrite, or another folder"
                )
        return True

    def add(self, name: str, low: Bytes, high: Bytes, metadata: Metadata, row: Mapping[str, object]) -> None:
        """Write a pair and its row, or nothing that was not there: half a pair would stand in a later run's way.

        Raises:
            OutputError: a picture is there already, or cannot be written.
        """
        if self._rows.pop(name, None) is not None:
            self._write_table()
        made: list[Path] = []
        try:
            for part, samples in (("low", low), ("high", high)):
                image = Image.from_array(samples)
                described = Image(image.samples, replace(image.info, metadata=metadata))
                file = self._folder / part / f"{name}.png"
                new = not file.exists()
                # A picture without a row is of no finished pair, but may be somebody's: it is not replaced unasked.
                write_image(described, file, overwrite=self._overwrite)
                made += [file] if new else []
            self._rows[name] = {"name": name, **{key: str(value) for key, value in row.items()}}
            self._write_table()
        except BaseException:
            self._rows.pop(name, None)
            for file in made:
                # Failing to remove it must not hide the reason.
                with contextlib.suppress(OSError):
                    file.unlink()
            raise

    def _write_table(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows[name] for name in sorted(self._rows))
        with replace_file(self._table) as stream:
            stream.write(text.getvalue().encode("utf-8", "surrogateescape"))


def read_plain(file: Path) -> tuple[Bytes, Metadata]:
    """uint8 (H, W, 1) or (H, W, 3) of an opaque 8-bit picture, and its colour profile.

    Raises:
        InputError: it cannot be read, is deeper than 8 bits, or has transparent pixels.
    """
    image = read_image(file)
    info, samples = image.info, image.samples
    if info.dtype != np.uint8:
        raise InputError(f"{file}: {info.dtype} samples; pairs are made of 8-bit pictures")
    if info.alpha and samples[..., -1].min() < 255:
        raise InputError(f"{file}: has transparent pixels; flatten it first")
    return samples[..., : info.channels - int(info.alpha)], Metadata(icc=info.metadata.icc)


def run_each(names: Sequence[str], work: Callable[[int], str]) -> int:
    """Do every input in turn, one that fails not stopping the others; the exit code.

    Args:
        names: what to call them.
        work: does input ``k`` and returns a line about it, an empty one when it was there already.
    """
    failures: list[str] = []
    skipped = 0
    with PictureProgress(len(names), hidden=False) as progress:
        for index, name in enumerate(names):
            progress.begin(name)
            try:
                line = work(index)
                skipped += not line
                line = line or f"{name}: there already, left as it is"
            except SuperresError as error:
                failures.append(str(error))
                line = f"superres: {error}"
            progress.end()
            progress.say(line, error=line.startswith("superres: "))
    if len(names) > 1:
        parts = [f"{len(names) - skipped - len(failures)} done"]
        parts += [f"{skipped} there already (--overwrite does them again)"] if skipped else []
        parts += [f"{len(failures)} failed"] if failures else []
        print(", ".join(parts), file=sys.stderr)
    return SOME_FAILED if failures else OK
