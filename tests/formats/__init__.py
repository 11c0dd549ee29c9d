"""Tests of superres.formats."""
