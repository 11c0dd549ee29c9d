"""Fit NIQE's model of good photographs again: writes superres/metrics/niqe_pristine.npz.

    python benchmarks/niqe_pristine.py --data FOLDER_OF_PHOTOGRAPHS

The folder holds photographs of 8 bits and LICENCES.tsv, which names the licence class of each (columns ``tile`` and
``licence_class``).  Only those in the public domain (CC0/PD) and under CC BY are used.  The shipped file was made from
384 x 384 pixel cuts of photographs that no shipped network was trained on; it holds their mean and covariance alone.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from superres.errors import OptionError, SuperresError
from superres.formats import read_image
from superres.metrics import niqe
from superres.metrics.protocol import luma

LICENCES = ("CC0/PD", "CC-BY")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs and LICENCES.tsv")
    parser.add_argument("--output", type=Path, default=Path(niqe.__file__).with_name("niqe_pristine.npz"))
    options = parser.parse_args(arguments)
    try:
        model = niqe.fit_pristine(_photographs(options.data))
        niqe.write_pristine(model, options.output)
    except SuperresError as error:
        print(f"niqe_pristine.py: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {model.patches} patches of {model.pictures} photographs")
    return 0


def _photographs(folder: Path) -> Iterator[npt.NDArray[Any]]:
    """Luma of every photograph whose licence allows it, in order of name."""
    try:
        with (folder / "LICENCES.tsv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except OSError as error:
        raise OptionError(f"{folder / 'LICENCES.tsv'}: {error.strerror}; it names the licence of every file") from error
    for name in sorted(row["tile"] for row in rows if row["licence_class"] in LICENCES):
        yield luma(read_image(folder / name).samples)


if __name__ == "__main__":
    sys.exit(main())
