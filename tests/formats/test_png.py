"""PNG written row by row: other readers find the same samples and the same metadata, however the rows come."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superres.errors import OptionError, OutputError
from superres.formats import open_writer, read_image, write_image
from superres.formats.apng import picture_data
from superres.formats.exif import resized
from superres.formats.png import filtered, head, write_png
from superres.formats.rowsource import RowSource
from superres.image import Metadata, PictureInfo

from .support import XMP, exif_block, picture, profile, read_png16, smooth


def _written(samples: np.ndarray[Any, Any], info: PictureInfo, cuts: list[int]) -> bytes:
    edges = [0, *sorted(cuts), len(samples)]
    file = io.BytesIO()
    write_png((samples[a:b] for a, b in itertools.pairwise(edges)), info, file)
    return file.getvalue()


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 30),
    channels=st.integers(1, 4),
    dtype=st.sampled_from(["uint8", "uint16"]),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_any_cut_into_blocks_gives_the_samples_back(
    width: int, height: int, channels: int, dtype: str, cuts: list[int]
) -> None:
    image = picture(height, width, channels, dtype)
    data = _written(image.samples, image.info, [min(cut, height) for cut in cuts])
    back = read_image(data)
    np.testing.assert_array_equal(back.samples, image.samples)
    assert (back.info.colour, back.info.alpha) == (image.info.colour, image.info.alpha)


def test_blocks_larger_than_what_is_compressed_at_a_time() -> None:
    image = picture(700, 900, 3)
    np.testing.assert_array_equal(read_image(_written(image.samples, image.info, [650])).samples, image.samples)


def test_a_decoder_written_by_hand_agrees() -> None:
    image = picture(9, 7, 3, "uint16")
    np.testing.assert_array_equal(read_png16(_written(image.samples, image.info, [4])), image.samples)


def test_filtered_rows_are_undone_by_sums() -> None:
    rows = smooth(6, 5, 3)
    above = np.arange(15, dtype=np.uint8)
    made = filtered(rows, above)
    assert (made[:, 0] == 2).all()
    undone = np.cumsum(np.concatenate([above[None], made[:, 1:]]), axis=0, dtype=np.uint8)[1:]
    np.testing.assert_array_equal(undone.reshape(rows.shape), rows)


def test_metadata_are_those_of_the_small_file(tmp_path: Path) -> None:
    meta = Metadata(icc=profile(), exif=exif_block(), xmp=XMP, dpi=(300.0, 150.0))
    image = picture(20, 30, 3)
    info = replace(image.info, metadata=meta)
    for compression in ("fast", "small"):
        writer = open_writer(tmp_path / f"{compression}.png", info, compression=compression)
        writer.write(image.samples)
        writer.commit()
    fast, small = (read_image(tmp_path / f"{name}.png") for name in ("fast", "small"))
    np.testing.assert_array_equal(fast.samples, image.samples)
    np.testing.assert_array_equal(small.samples, image.samples)
    found, other = fast.info.metadata, small.info.metadata
    assert (found.icc, found.dpi) == (meta.icc, other.dpi) and found.xmp == other.xmp
    # The block stays as it is, but for sizes and resolution.
    assert found.exif == other.exif == resized(exif_block(), 30, 20, meta.dpi)


def test_nothing_is_stated_that_the_picture_does_not_say() -> None:
    image = picture(3, 3, 1)
    assert [kind for kind, _ in picture_data(head(image.info))] == [b"IHDR"]


def test_chunks_carry_their_checksums(tmp_path: Path) -> None:
    write_image(picture(300, 400, 3), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    at, kinds = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kinds.append(data[at + 4 : at + 8])
        assert zlib.crc32(data[at + 4 : at + 8 + length]) == int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        )
        at += 12 + length
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND" and set(kinds[1:-1]) == {b"IDAT"}


def test_rows_that_end_early_are_an_error() -> None:
    image = picture(8, 8, 3)
    with pytest.raises(OutputError, match="got 5 of 8 rows"):
        write_png(iter([image.samples[:5]]), image.info, io.BytesIO())


def test_row_source_gives_its_blocks_as_they_were_put() -> None:
    info = picture(6, 4, 1).info
    source = RowSource(info)
    source.put(memoryview(bytes(8)))
    source.put(memoryview(bytes(16)))
    blocks: Iterator[memoryview] = source.blocks()
    assert [len(block) for block in blocks] == [8, 16]


def test_row_source_that_was_stopped_says_so() -> None:
    source = RowSource(picture(6, 4, 1).info)
    source.put(memoryview(bytes(8)))
    blocks = source.blocks()
    next(blocks)
    source.stop()
    with pytest.raises(OutputError, match="stopped before the last row"):
        next(blocks)


def test_unknown_compression(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="compression 'best': expected fast or small"):
        open_writer(tmp_path / "a.png", picture(3, 3, 3).info, compression="best")
    assert not list(tmp_path.iterdir())
