"""Tables beside a GeoTIFF: which are found, and which make classes of a band."""

from __future__ import annotations

import struct

import pytest

from superres.formats.geotiff_tables import NO_TABLES, Tables, tables_of


def metadata(*parts: str, band: int = 1) -> bytes:
    """As GDAL writes it."""
    return f'<PAMDataset>\n  <PAMRasterBand band="{band}">\n{"".join(parts)}</PAMRasterBand>\n</PAMDataset>'.encode()


def attributes(*types: str, kind: str = ' tableType="thematic"') -> str:
    columns = (f'<FieldDefn index="{n}"><Name>c{n}</Name>{type_}</FieldDefn>' for n, type_ in enumerate(types))
    return f"<GDALRasterAttributeTable{kind}>{''.join(columns)}</GDALRasterAttributeTable>"


def dbase(types: str) -> bytes:
    """The head of a dBASE III file."""
    fields = b"".join(struct.pack("<11sc20x", b"FIELD", letter.encode()) for letter in types)
    return struct.pack("<B3xIHH20x", 3, 9, 32 + len(fields) + 1, 40) + fields + b"\r" + b" C" * 40


NUMBER, TEXT, NEW_TEXT = "<Type>0</Type>", "<Type>2</Type>", '<Type typeAsString="String">2</Type>'
NAMES = "<CategoryNames><Category></Category><Category>water</Category></CategoryNames>"


@pytest.mark.parametrize(
    ("beside", "found", "classes"),
    [
        (NAMES, ("category names",), True),
        ("<CategoryNames><Category></Category></CategoryNames>", (), False),
        (attributes(NUMBER, TEXT), ("attribute table",), True),
        (attributes(NUMBER, NEW_TEXT, kind=""), ("attribute table",), True),
        (attributes(NUMBER, NUMBER), ("attribute table",), False),
        (attributes(NUMBER, TEXT, kind=' tableType="athematic"'), ("attribute table",), False),
        (attributes(NUMBER, NUMBER) + NAMES, ("category names", "attribute table"), True),
        ("<Histograms/>", (), False),
    ],
)
def test_what_gdal_keeps(beside: str, found: tuple[str, ...], classes: bool) -> None:
    assert tables_of(metadata(beside, band=3), b"") == {3: Tables(found, classes)}


@pytest.mark.parametrize(("types", "classes"), [("NN", False), ("NNC", True), ("NF", False), ("C", True)])
def test_what_arcgis_keeps(types: str, classes: bool) -> None:
    assert tables_of(b"", dbase(types)) == {1: Tables(("attribute table",), classes)}
    both = tables_of(metadata(attributes(NUMBER, NUMBER)), dbase(types))
    assert both == {1: Tables(("attribute table",), classes)}


def test_nothing_and_damage() -> None:
    assert tables_of(b"", b"") == {}
    assert tables_of(b"<PAMDataset><PAMRasterBand band='1'><Category>cut", b"") == {}
    assert tables_of(b"", b"\3") == {1: Tables(("attribute table",), False)}
    assert not NO_TABLES.classes and not NO_TABLES.found
