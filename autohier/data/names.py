"""Names of datasets, classes, clips and files, as they are compared."""

from __future__ import annotations

import unicodedata


def plain_name(dataset: str) -> str:
    """Return the spelling of a dataset's name in stores: lower case, with ``-`` for ``_``."""
    return dataset.strip().lower().replace("_", "-")


def composed(text: str) -> str:
    """Return a text with composed letters (NFC).

    macOS and some archives write an accented letter as two characters, which look like one but differ in
    bytes. Names of classes, clips, lists and files are compared in this form.
    """
    return unicodedata.normalize("NFC", text)
