from __future__ import annotations

from pathlib import Path

import pytest
from video_support import Clip, make_clip

from superres.formats.video_whole import missing_bytes


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_whole_files_lack_nothing_and_cut_ones_what_was_cut(suffix: str, tmp_path: Path) -> None:
    webm = suffix == ".webm"
    clip = Clip(encoder="libvpx-vp9" if webm else "libx264", options={"crf": "20"}, extras=["audio"])
    path = make_clip(tmp_path / f"a{suffix}", clip)
    data = path.read_bytes()
    assert missing_bytes(path) == 0
    for lost in (1, 100, len(data) // 2, len(data) - 64):
        path.write_bytes(data[:-lost])
        # A cut at the end of the file's last part, or within a box's head, may leave less to be missed.
        assert 0 < missing_bytes(path) <= lost
    path.write_bytes(data + b"\0" * 1000)
    assert missing_bytes(path) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x20ftyp",
        b"\0\0\0\x08ftyp" + b"\0\0\0\0mdat" + b"x" * 50,  # to the end of the file, whatever that is
        b"\0\0\0\x08ftyp" + b"\0\0\0\x03moov",  # no box
        b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",  # of unknown length: live
        b"\x1a\x45\xdf\xa3",
        b"\x47" * 400,
    ],
)
def test_what_declares_no_length_lacks_nothing(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert missing_bytes(path) == (0 if data != b"\0\0\0\x20ftyp" else 24)


def test_long_boxes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\x01mdat" + (2**33).to_bytes(8, "big") + b"x" * 100)
    assert missing_bytes(path) == 2**33 - 116


def test_a_file_that_is_gone_is_not_our_business(tmp_path: Path) -> None:
    assert missing_bytes(tmp_path / "gone.mp4") == 0
