from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from video_support import Clip, make_clip

from superres.errors import CorruptInputError, InputError, MissingExtraError, OutputError, UnsupportedFormatError
from superres.formats.kinds import kind_of, source_suffixes
from superres.formats.video_av import demuxer_of, encoding, open_video, pyav, seconds_text


@pytest.mark.parametrize(
    ("suffix", "demuxer"), [(".mp4", "mov"), (".mov", "mov"), (".mkv", "matroska"), (".ts", "mpegts")]
)
def test_the_content_names_the_demultiplexer(suffix: str, demuxer: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"a{suffix}", Clip())
    renamed = path.rename(tmp_path / "a.bin")
    assert demuxer_of(renamed.read_bytes()[:200], "a") == demuxer
    assert kind_of(renamed) == "video"
    with open_video(renamed, "a") as container:
        assert demuxer in container.format.name
        assert len(container.streams.video) == 1


def test_packets_of_a_camcorder_are_read(tmp_path: Path) -> None:
    """AVCHD: a time of four bytes before each of a transport stream's packets."""
    plain = make_clip(tmp_path / "a.ts", Clip())
    data, timed = plain.read_bytes(), tmp_path / "a.mts"
    packets = [(n * 1000).to_bytes(4, "big") + data[at : at + 188] for n, at in enumerate(range(0, len(data), 188))]
    timed.write_bytes(b"".join(packets))
    assert (kind_of(timed), demuxer_of(timed.read_bytes()[:197], "a")) == ("video", "mpegts")
    with open_video(timed, "a") as container, open_video(plain, "a") as other:
        one, two = ([frame.to_ndarray().tobytes() for frame in file.decode(video=0)] for file in (container, other))
    assert one == two and len(one) == len(Clip().times)
    assert {".mts", ".m2ts"} <= source_suffixes()


@pytest.mark.parametrize(
    "script",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n",
        b"ffconcat version 1.0\nfile 'secret.ts'\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
        b"G" + b"\0" * 300,
        b"",
    ],
)
def test_playlists_and_scripts_are_no_videos(script: bytes, tmp_path: Path) -> None:
    """Whatever their name: only listed containers are handed to FFmpeg, by name."""
    make_clip(tmp_path / "secret.ts", Clip())
    path = tmp_path / "list.mp4"
    path.write_bytes(script)
    assert kind_of(path) is None
    with pytest.raises(UnsupportedFormatError, match="expected MP4"), open_video(path, "list"):
        pass


def test_a_container_opens_nothing_but_its_own_file(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", Clip())
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    with open_video(path, "a") as container:
        for packet in container.demux():
            packet.decode()
        assert container.name == "<none>"
    watching = False
    assert {name for name in opened if not name.endswith((".py", ".pyc"))} == {str(path)}


def test_absent_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"), open_video(tmp_path / "gone.mp4", "gone"):
        pass
    path = make_clip(tmp_path / "a.mp4", Clip())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CorruptInputError, match="short"), open_video(path, "a"):
        pass


def test_an_absent_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"superres\[video\]"):
        pyav()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (ValueError("no such codec"), "no such codec"),
        (OSError(errno.EIO, "Input/output error"), "Input/output"),
    ],
)
def test_errors_of_writing_are_translated(error: Exception, words: str) -> None:
    with pytest.raises(OutputError, match=words), encoding("out.mp4"):
        raise error


def test_times_are_readable() -> None:
    assert seconds_text(59.9996) == "0:01:00.000"
