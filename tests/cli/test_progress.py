"""What is told while a video is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from video_support import Clip, make_clip

from superres.cli import main
from superres.cli import progress as progress_module
from superres.cli.progress import Pace, PictureProgress


def test_pace_counts_what_this_run_did() -> None:
    pace = Pace(done=60, total=100, begun=20, seconds=10.0, written=3_000)
    assert (pace.per_second, pace.seconds_left, pace.expected) == (4.0, 10.0, 5_000)
    assert pace.record() == {
        "status": "working",
        "done": 60,
        "total": 100,
        "frames_per_second": 4.0,
        "seconds_left": 10.0,
        "bytes": 3_000,
        "expected_bytes": 5_000,
    }
    unknown = Pace(20, 100, 20, 10.0, None)
    assert unknown.seconds_left is None and unknown.expected is None
    assert "bytes" not in json.loads(json.dumps(unknown.record()))
    assert unknown.text() == "0.0 frames/s"


def test_a_line_a_second_and_none_for_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with PictureProgress(2, json_lines=True, clock=lambda: now) as progress:
        progress.begin("a.mp4")
        progress.expect_frames("clips/a.mp4", lambda: 100)
        for done in range(1, 31):
            now += 0.25
            progress.update(done, 30)
        progress.end()
        progress.begin("b.png")
        now += 10
        progress.update(5, 10)
        progress.end()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["done"] for line in told] == [5, 9, 13, 17, 21, 25, 29]
    assert {line["source"] for line in told} == {"clips/a.mp4"}
    assert {line["frames_per_second"] for line in told} == {4.0}
    assert told[0]["seconds_left"] == 6.2 and told[0]["expected_bytes"] == 600


def test_programs_see_a_video_grow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "_EVERY", 0.0)
    source = make_clip(tmp_path / "a.mp4", Clip())
    command = ["upscale", str(source), "-o", str(tmp_path / "b.mp4"), "--scale", "2", "--model", "realtime", "--json"]
    assert main([*command, "--preset", "ultrafast"]) == 0
    *working, done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (done["status"], done["target"]) == ("done", str(tmp_path / "b.mp4"))
    assert [line["done"] for line in working] == list(range(1, 13))
    assert {(line["status"], line["source"], line["total"]) for line in working} == {("working", str(source), 12)}
    assert working[-1]["bytes"] <= (tmp_path / "b.mp4").stat().st_size + 10_000
