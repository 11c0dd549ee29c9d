"""Small pictures for the tests of formats, made by encoders other than the ones under test where there is a choice."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageCms, PngImagePlugin

from superres.image import Image, Metadata

Samples = npt.NDArray[Any]


def smooth(height: int, width: int, channels: int, dtype: str = "uint8", seed: int = 0) -> Samples:
    """A picture like a photograph: neighbours are alike, every row differs."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(np.cumsum(rng.normal(size=(height, width, channels)), 0), 1)
    unit = (walk - walk.min()) / (np.ptp(walk) + 1e-9)
    if dtype == "float32":
        return np.asarray(unit * 3 - 1, np.float32)
    samples: Samples = np.rint(unit * {"uint8": 255, "uint16": 65535}[dtype]).astype(dtype)
    return samples


def profile() -> bytes:
    """An ICC profile, from Little CMS."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(orientation: int = 1, *, thumbnail: bool = False, order: str = "<") -> bytes:
    """An EXIF block without marker: maker, orientation, exposure, sizes 40 x 30, maybe a thumbnail at its end."""
    mark = b"II" if order == "<" else b"MM"

    def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    main_at, main_size = 8, 2 + 6 * 12 + 4
    sub_at, sub_size = main_at + main_size, 2 + 4 * 12 + 4
    values_at = sub_at + sub_size
    jpeg = b"\xff\xd8thumbnail\xff\xd9"
    thumb_at = values_at + 8 * 3 + 8
    main = [
        entry(0x010F, 2, 8, long(values_at + 24)),
        entry(0x0112, 3, 1, short(orientation)),
        entry(0x011A, 5, 1, long(values_at)),
        entry(0x011B, 5, 1, long(values_at + 8)),
        entry(0x0128, 3, 1, short(2)),
        entry(0x8769, 4, 1, long(sub_at)),
    ]
    sub = [
        entry(0x829A, 5, 1, long(values_at + 16)),
        entry(0x9000, 7, 4, b"0230"),
        entry(0xA002, 3, 1, short(40)),
        entry(0xA003, 4, 1, long(30)),
    ]
    after = thumb_at if thumbnail else 0
    out = mark + struct.pack(order + "HI", 42, main_at)
    out += struct.pack(order + "H", 6) + b"".join(main) + long(after)
    out += struct.pack(order + "H", 4) + b"".join(sub) + long(0)
    out += struct.pack(order + "IIIIII", 300, 1, 300, 1, 1, 50) + b"Testcam\0"
    if thumbnail:
        listing = entry(0x0201, 4, 1, long(thumb_at + 30)) + entry(0x0202, 4, 1, long(len(jpeg)))
        out += struct.pack(order + "H", 2) + listing + long(0) + jpeg
    return out


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def picture(height: int, width: int, channels: int, dtype: str = "uint8", **metadata: Any) -> Image:
    """A picture in memory with metadata."""
    from dataclasses import replace

    image = Image.from_array(smooth(height, width, channels, dtype))
    return Image(image.samples, replace(image.info, metadata=Metadata(**metadata)))


def pillow_bytes(samples: Samples, format: str, **options: Any) -> bytes:
    """Encode 8-bit samples with Pillow."""
    buffer = io.BytesIO()
    if format == "PNG" and "xmp" in options:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        options["pnginfo"] = text
    array = samples[:, :, 0] if samples.shape[2] == 1 else samples
    Pillow.fromarray(array).save(buffer, format, **options)
    return buffer.getvalue()


def pillow_samples(source: Path | bytes) -> Samples:
    """Decode with Pillow to (H, W, C)."""
    with Pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
        array = np.array(opened)
    return array[:, :, None] if array.ndim == 2 else array


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk, written independently of the package."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(samples: Samples) -> bytes:
    """A 16-bit PNG of (H, W, C), because Pillow cannot hold 16-bit RGB."""
    height, width, channels = samples.shape
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(raw))
        + png_chunk(b"IEND", b"")
    )


def read_png16(data: bytes) -> Samples:
    """Decode a non-interlaced 16-bit PNG by hand: the second reader that Pillow cannot be."""
    at, body, header = 8, b"", b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, chunk = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        header = chunk if kind == b"IHDR" else header
        body += chunk if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, kind_of = struct.unpack(">IIBB", header[:10])
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[kind_of]
    step, row = channels * 2, width * channels * 2
    if depth != 16:
        raise ValueError(f"depth {depth}")
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, row + 1)
    out = np.zeros((height, row), np.int64)
    for y in range(height):
        filter_kind = raw[y, 0]
        for x in range(row):
            left = out[y, x - step] if x >= step else 0
            up = out[y - 1, x] if y else 0
            corner = out[y - 1, x - step] if y and x >= step else 0
            guess = left + up - corner
            distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
            paeth = (left, up, corner)[int(np.argmin(distances))]
            out[y, x] = (int(raw[y, x + 1]) + (0, left, up, (left + up) // 2, paeth)[filter_kind]) % 256
    return out.astype(np.uint8).view(">u2").reshape(height, width, channels).astype(np.uint16)


def plain_tiff(
    samples: Samples,
    *,
    order: Literal["<", ">"] = "<",
    big: bool = False,
    extra: dict[int, tuple[int, int]] | None = None,
) -> bytes:
    """An uncompressed TIFF whose directory comes first, written by hand.  ``extra``: tag -> (type, value)."""
    height, width, channels = samples.shape
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    fields: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [samples.dtype.itemsize * 8] * channels),
        259: (3, [1]),
        262: (3, [1 if channels < 3 else 2]),
        273: (4, [0]),
        277: (3, [channels]),
        278: (4, [height]),
        279: (4, [samples.nbytes]),
        284: (3, [1]),
        339: (3, [kind] * channels),
    }
    if channels in (2, 4):
        fields[338] = (3, [2])
    for tag, (code, value) in (extra or {}).items():
        fields[tag] = (code, [value])
    room, unit, head = (8, "Q", 16) if big else (4, "I", 8)
    size = (8 if big else 2) + len(fields) * (20 if big else 12) + room
    outside = b""
    body = b""
    data_at = head + size + 64
    for tag in sorted(fields):
        code, values = fields[tag]
        values = [data_at] if tag == 273 else values
        packed = struct.pack(order + {3: "H", 4: "I"}[code] * len(values), *values)
        if len(packed) > room:
            packed, outside = struct.pack(order + unit, head + size + len(outside)), outside + packed
        body += struct.pack(order + "HH" + unit, tag, code, len(values)) + packed.ljust(room, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    listing = struct.pack(order + ("Q" if big else "H"), len(fields)) + body + bytes(room)
    return start + listing + outside.ljust(64, b"\0") + samples.astype(samples.dtype.newbyteorder(order)).tobytes()


def memory_kb(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (highest) of this process.  A child would inherit ru_maxrss from its parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field} in /proc/self/status")


def forget_peak() -> int:
    """Make ``VmHWM`` start anew; what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_kb("VmRSS")
