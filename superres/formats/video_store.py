"""Encoded groups on their way to a result: a hidden working folder, from which a stopped run goes on.

The folder lies beside the target.  ``job.json`` says what is being made of what; each finished group is one file that
appears whole or not at all.  A folder that was made for another job is emptied.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from superres.atomic import replace_file
from superres.errors import OutputError
from superres.formats.video_encode import Packet

__all__ = ["Group", "WorkFolder", "work_folder_of"]

_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Group:
    """One encoded group of pictures in a file: packets in decoding order, one after the other, then an index.

    Attributes:
        path: the file.
        header: the encoder's, which goes into the container.
        pts: time of each packet.
        sizes: bytes of each packet.
        keys: which packets are key frames.
        last_duration: of the picture shown last, 0 when unknown.
        faults: what could not be read of the source so far.
    """

    path: Path
    header: bytes
    pts: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: tuple[bool, ...]
    last_duration: int
    faults: tuple[str, ...]

    def packets(self) -> Iterator[Packet]:
        """The packets, read one at a time."""
        with self.path.open("rb") as file:
            for pts, size, key in zip(self.pts, self.sizes, self.keys, strict=True):
                yield Packet(file.read(size), pts, key)


def work_folder_of(target: Path) -> Path:
    """Where a result is made: a hidden folder beside it, on the same file system."""
    # File systems allow 255 bytes per name.
    return target.with_name(f".{os.fsdecode(os.fsencode(target.name)[:200])}.superres")


class WorkFolder:
    """The working folder of one result, held by one process at a time.  A context manager.

    Left without :meth:`finish` it stays when it holds finished groups, for the next run; otherwise it is removed.

    Args:
        target: the result.
        job: everything that the groups depend on, as JSON takes it.

    Attributes:
        groups: those that are finished, in order.

    Raises:
        OutputError: the folder cannot be made, or another process is at work in it.
    """

    def __init__(self, target: Path, job: Mapping[str, Any]) -> None:
        self.path = work_folder_of(target)
        self.groups: list[Group] = []
        self._target = target
        self._lock: BinaryIO | None = None
        try:
            self.path.mkdir(exist_ok=True)
            lock = (self.path / "lock").open("ab")
        except OSError as exc:
            raise OutputError(f"{target}: its working folder {self.path} cannot be made ({exc.strerror})") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise OutputError(f"{target}: another run is making it; wait for its end or choose another target") from exc
        self._lock = lock
        try:
            self._begin(json.loads(json.dumps(job)))
        except BaseException:
            self.__exit__()
            raise

    def _begin(self, job: Mapping[str, Any]) -> None:
        """Keep the groups of the same job, and nothing else."""
        journal = self.path / "job.json"
        same = False
        if journal.is_file():
            try:
                same = json.loads(journal.read_bytes()) == job
            except ValueError:
                same = False  # damaged: nothing in it is known
        while same and (group := _read_group(self._place(len(self.groups)))) is not None:
            self.groups.append(group)
        kept = {"lock", *(group.path.name for group in self.groups)}
        for path in self.path.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)
        with replace_file(journal) as stream:
            stream.write(json.dumps(job).encode())

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            if not self.groups:
                shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()
            self._lock = None

    def add(
        self, packets: Iterable[tuple[bytes, Packet]], durations: Sequence[int], faults: Callable[[], tuple[str, ...]]
    ) -> Group:
        """Write the next group.

        Args:
            packets: the encoder's header and a packet, in decoding order; taken one at a time.
            durations: of the pictures, as they are encoded: filled while ``packets`` is taken.
            faults: asked once ``packets`` has ended.

        Raises:
            OutputError: the disk is full, or there are not as many packets as pictures; the groups before stay.
        """
        place = self._place(len(self.groups))
        try:
            with replace_file(place) as stream:
                group = _write_group(stream, place, packets, durations, faults)
        except OutputError as exc:
            raise OutputError(f"{self._target}: {exc}; what is finished stays for the next run") from exc
        self.groups.append(group)
        return group

    def scratch(self) -> Path:
        """Where the joined file is made before it is renamed over the target."""
        return self.path / "joined"

    def finish(self) -> None:
        """The result is in place: remove the folder."""
        self.groups.clear()

    def _place(self, number: int) -> Path:
        return self.path / f"{number:06d}.group"


def _write_group(
    stream: BinaryIO,
    place: Path,
    packets: Iterable[tuple[bytes, Packet]],
    durations: Sequence[int],
    faults: Callable[[], tuple[str, ...]],
) -> Group:
    header, index = b"", []
    for header, packet in packets:  # noqa: B007  (the last header counts: encoders may make it late)
        stream.write(packet.data)
        index.append((packet.pts, len(packet.data), packet.key))
    if len(index) != len(durations):
        raise OutputError(f"the encoder made {len(index)} of {len(durations)} pictures")
    group = Group(
        place,
        header,
        pts=tuple(pts for pts, _, _ in index),
        sizes=tuple(size for _, size, _ in index),
        keys=tuple(key for _, _, key in index),
        last_duration=durations[-1] if durations else 0,
        faults=faults(),
    )
    record = {**asdict(group), "path": place.name, "header": header.hex()}
    text = json.dumps(record).encode()
    stream.write(text + len(text).to_bytes(_LENGTH_BYTES, "big"))
    return group


def _read_group(path: Path) -> Group | None:
    """A finished group, or None when there is none that can be used."""
    try:
        with path.open("rb") as file:
            end = file.seek(-_LENGTH_BYTES, os.SEEK_END)
            length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
            file.seek(end - length)
            index = json.loads(file.read(length))
        group = Group(
            path,
            bytes.fromhex(index["header"]),
            tuple(index["pts"]),
            tuple(index["sizes"]),
            tuple(index["keys"]),
            index["last_duration"],
            tuple(index["faults"]),
        )
    except (OSError, ValueError, KeyError):
        return None
    return group if sum(group.sizes) == end - length and group.pts else None
