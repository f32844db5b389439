"""tools/render_leaderboard.py: the picture holds the report and loads nothing from other hosts."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import render_leaderboard

from autohier.records.reader import Records


def test_picture_is_svg_with_the_report_and_a_title():
    picture = render_leaderboard.render(Records(), "autohier status demo")
    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314  written by this test
    assert "autohier&#160;status&#160;demo" in picture or "autohier status demo" in picture
    assert "trials" in picture


def test_picture_loads_nothing_from_other_hosts():
    picture = render_leaderboard.render(Records(), "demo")
    assert set(re.findall(r"https?://([\w.]+)", picture)) <= {"www.w3.org", "www.textualize.io"}
    assert "@font-face" not in picture
