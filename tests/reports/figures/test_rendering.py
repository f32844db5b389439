"""Figures as files: reproducible, with embedded fonts, and with labels that lie outside of the figure."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from autohier.errors import InputError
from autohier.reports.figures.fonts import drawable, installed_fonts
from autohier.reports.figures.rendering import FORMATS, parse_formats, render


def labelled() -> Figure:
    figure = Figure((2.0, 1.0))
    figure.add_axes((0.0, 0.0, 1.0, 1.0)).set_ylabel("accuracy, %")
    return figure


@pytest.mark.parametrize("file_format", FORMATS)
def test_equal_figures_are_equal_files(file_format) -> None:
    assert render(labelled(), file_format) == render(labelled(), file_format)


def test_a_pdf_embeds_truetype_fonts_and_the_page_grows_with_the_labels() -> None:
    content = render(labelled(), "pdf")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    box = re.search(rb"/MediaBox \[ ([\d. ]+) \]", content)
    assert box is not None
    assert float(box[1].split()[2]) > 2.0 * 72 + 10  # the label and the ticks are left of the two inches


def test_an_svg_needs_no_font() -> None:
    assert b"<text" not in render(labelled(), "svg")


def test_formats_are_those_that_exist() -> None:
    assert parse_formats("svg, PDF") == ("pdf", "svg")
    with pytest.raises(InputError, match="--formats takes pdf, svg, png, but got pdf,eps"):
        parse_formats("pdf,eps")
    with pytest.raises(InputError, match="--formats takes"):
        parse_formats(" ,")


def test_characters_without_a_font_are_replaced() -> None:
    fonts = installed_fonts()
    assert fonts[0] == "DejaVu Sans"
    assert drawable("a\x1b\U000f0000", ["DejaVu Sans"]) == "a\\x1b\N{REPLACEMENT CHARACTER}"
