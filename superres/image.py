"""Image: samples and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from superres.errors import OptionError

__all__ = ["Image", "Metadata", "PictureInfo"]

Colour = Literal["grey", "rgb"]


@dataclass(frozen=True)
class Metadata:
    """What travels with a picture beside its samples.  None where the source has none.

    Attributes:
        icc: ICC profile of the samples, as bytes.
        exif: EXIF block, as bytes; orientation is already 1 because readers bake it in.
        xmp: XMP packet, as bytes.
        dpi: horizontal and vertical resolution in pixels per inch.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    def scaled(self, scale_x: float, scale_y: float) -> Metadata:
        """For the enlarged picture: the print size stays, so the resolution grows."""
        dpi = None if self.dpi is None else (self.dpi[0] * scale_x, self.dpi[1] * scale_y)
        return replace(self, dpi=dpi)


@dataclass(frozen=True)
class PictureInfo:
    """Everything about a picture but its samples: known from the header, before anything is decoded.

    Attributes:
        height, width: in pixels, after the orientation has been baked in.
        colour: ``grey`` (1 channel) or ``rgb`` (3 channels).
        dtype: uint8, uint16 or float32.
        sample_range: the value of full white: 255, 65535 or 1.0.
        alpha: whether one more channel, straight (not premultiplied) alpha, follows the colours.
        format: short name of the file format: ``png``, ``jpeg``, ``tiff``, ``webp``, ``avif``, ``heic``, ``gif``...
        lossy: whether the samples went through lossy compression.
        metadata: profile, EXIF, XMP, resolution.
        quality: how well a JPEG was compressed, 1 to 100 in libjpeg's measure; None of others and where it is unknown.
    """

    height: int
    width: int
    colour: Colour
    dtype: np.dtype[Any]
    sample_range: float
    alpha: bool
    format: str
    lossy: bool
    metadata: Metadata = field(default_factory=Metadata)
    quality: int | None = None

    @property
    def channels(self) -> int:
        """Samples per pixel, alpha included."""
        return (1 if self.colour == "grey" else 3) + int(self.alpha)

    def scaled(self, height: int, width: int) -> PictureInfo:
        """The same meaning for a result of ``height`` x ``width`` pixels."""
        metadata = self.metadata.scaled(width / self.width, height / self.height)
        return replace(self, height=height, width=width, metadata=metadata)


@dataclass(frozen=True)
class Image:
    """A picture in memory.

    Attributes:
        samples: (H, W, C), C = ``info.channels``; dtype and range as ``info`` says; straight alpha last.
        info: what the samples mean.

    Raises:
        OptionError: samples whose shape or dtype differs from ``info``.
    """

    samples: npt.NDArray[Any]
    info: PictureInfo

    def __post_init__(self) -> None:
        expected = (self.info.height, self.info.width, self.info.channels)
        if self.samples.shape != expected or self.samples.dtype != self.info.dtype:
            raise OptionError(
                f"samples are {self.samples.dtype} {self.samples.shape}, "
                f"but the picture is described as {self.info.dtype} {expected}"
            )

    @classmethod
    def from_array(cls, samples: npt.NDArray[Any]) -> Image:
        """Wrap an array as a picture without metadata.

        Args:
            samples: (H, W) or (H, W, C), C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha; uint8, uint16, or
                float in [0, 1] (kept as float32).

        Raises:
            OptionError: another shape or dtype.
        """
        array = samples[:, :, None] if samples.ndim == 2 else samples
        if np.issubdtype(array.dtype, np.floating):
            array = array.astype(np.float32)
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        ranges = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
        if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or array.dtype.name not in ranges or array.size == 0:
            raise OptionError(
                f"cannot use an array {samples.dtype} {samples.shape} as a picture: expected (H, W) or (H, W, 1-4) "
                "with at least one pixel, uint8, uint16 or float"
            )
        height, width, channels = array.shape
        info = PictureInfo(
            height=height,
            width=width,
            colour="grey" if channels < 3 else "rgb",
            dtype=array.dtype,
            sample_range=ranges[array.dtype.name],
            alpha=channels in (2, 4),
            format="array",
            lossy=False,
        )
        return cls(array, info)

    def scaled(self, samples: npt.NDArray[Any]) -> Image:
        """The enlarged picture: new samples, with the meaning moved along."""
        return Image(samples, self.info.scaled(samples.shape[0], samples.shape[1]))

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to ``path``; the suffix names the format.  See :func:`superres.formats.open_writer`."""
        from superres.formats import write_image

        write_image(self, Path(path), overwrite=overwrite)
