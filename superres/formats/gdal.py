"""rasterio, and GDAL below it, imported when first used, with its errors translated into ours."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from superres.errors import CorruptInputError, MissingExtraError, OutputError

__all__ = ["CACHE_BYTES", "gdal_settings", "open_dataset", "rasterio", "reading", "writing"]

#: GDAL's cache of blocks: by default 5 % of the machine's memory, which no budget of ours would cover.
CACHE_BYTES = 64 * 2**20


def rasterio() -> Any:
    """The ``rasterio`` module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import rasterio
    except ImportError as exc:
        raise MissingExtraError("rasterio", "geo") from exc
    # GDAL's warnings about odd files would otherwise reach the terminal; what matters comes as an exception.
    logger = logging.getLogger("rasterio")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return rasterio


@contextlib.contextmanager
def gdal_settings(**settings: object) -> Iterator[None]:
    """Run GDAL with a small cache and with ``settings``; what was set before is restored."""
    with rasterio().Env(GDAL_CACHEMAX=CACHE_BYTES, **settings):
        yield


def open_dataset(path: str, mode: str, options: dict[str, Any]) -> Any:
    """``rasterio.open`` for GeoTIFF alone, so that no other of GDAL's many drivers sees the file."""
    module = rasterio()
    with warnings.catch_warnings():
        # That a raster has no georeference is a fact about it, not a fault.
        warnings.simplefilter("ignore", module.errors.NotGeoreferencedWarning)
        return module.open(path, mode, driver="GTiff", **options)


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn errors of GDAL into CorruptInputError."""
    try:
        yield
    except _failures() as exc:
        raise CorruptInputError(f"{name}: is damaged or cut short ({_reason(exc)}); get the file again") from exc


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn errors of GDAL into OutputError."""
    try:
        yield
    except _failures() as exc:
        raise OutputError(f"{name}: cannot be written ({_reason(exc)}); is the disk full?") from exc


def _failures() -> tuple[type[Exception], ...]:
    """What rasterio raises; not all of it has one root.  Names that are no Unicode cannot be handed to it."""
    from rasterio._err import CPLE_BaseError

    return (rasterio().errors.RasterioError, CPLE_BaseError, UnicodeError)


def _reason(exc: Exception) -> str:
    """The telling line: that of the error below, where rasterio only says to look there."""
    below = exc.__cause__ or exc.__context__
    text = str(below if below is not None and "previous exception" in str(exc) else exc)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(exc).__name__)
