"""Tables beside a GeoTIFF that name its values: GDAL's ``.aux.xml``, and the ``.vat.dbf`` of ArcGIS.

GDAL reads the first, rasterio hands neither on, and no TIFF holds them: they say which bands hold classes, and a result
goes without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["NO_TABLES", "Tables", "tables_of"]

_BAND = re.compile(rb"""<PAMRasterBand\s+band=["'](\d+)["']\s*>(.*?)</PAMRasterBand>""", re.DOTALL)
_ATTRIBUTES = re.compile(rb"<GDALRasterAttributeTable([^>]*)>(.*?)</GDALRasterAttributeTable>", re.DOTALL)
# A column of texts, and a class that has a name.
_TEXT = re.compile(rb"<Type[^>]*>\s*2\s*</Type>")
_CATEGORY = re.compile(rb"<Category>[^<]")

# Of a dBASE file: where the fields begin, bytes of each, where its type stands, and what ends them.
_FIELDS, _FIELD, _TYPE, _END = 32, 32, 11, b"\r"


@dataclass(frozen=True)
class Tables:
    """What is said of one band's values.

    Attributes:
        found: what there is, in words.
        classes: that they are names of something: nothing lies between two.
    """

    found: tuple[str, ...] = ()
    classes: bool = False


#: Of a band that nothing is said of.
NO_TABLES = Tables()


def tables_of(metadata: bytes, values: bytes) -> Mapping[int, Tables]:
    """Tables by band, counted from 1.

    A table of attributes alone makes no classes: programs count the values of elevations, too.  One with texts in it
    does, unless it says that it is not thematic.

    Args:
        metadata: an ``.aux.xml``, empty for none.
        values: the beginning of a ``.vat.dbf``, which is of the first band; empty for none.
    """
    found = {int(number): _in_metadata(text) for number, text in _BAND.findall(metadata)}
    if values:
        first = found.get(1, NO_TABLES)
        names = dict.fromkeys([*first.found, "attribute table"])
        found[1] = Tables(tuple(names), first.classes or b"C" in _column_types(values))
    return MappingProxyType(found)


def _in_metadata(text: bytes) -> Tables:
    """Of what an ``.aux.xml`` says of one band."""
    categories, table = _CATEGORY.search(text), _ATTRIBUTES.search(text)
    thematic = table is not None and b"athematic" not in table[1] and _TEXT.search(table[2])
    names = (["category names"] if categories else []) + (["attribute table"] if table else [])
    return Tables(tuple(names), bool(categories or thematic))


def _column_types(values: bytes) -> Iterator[bytes]:
    """One letter per column of a dBASE file: C for texts."""
    at = _FIELDS
    while len(values) >= at + _FIELD and values[at : at + 1] != _END:
        yield values[at + _TYPE : at + _TYPE + 1]
        at += _FIELD
