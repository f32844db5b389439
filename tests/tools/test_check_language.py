"""tools/check_language.py: each rule has an example that breaks it and one that follows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import check_language
import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "check_language.py"


# Each retired phrase, as a sentence that uses it and one that says the same in plain words.
PHRASES = [
    ("Whoever holds the lease.", "The process that holds the lease."),  # language: quote
    ("Whomsoever it names.", "Any subject that it names."),  # language: quote
    ("Whatever the user wrote.", "Any value that the user wrote."),  # language: quote
    ("Accept it, be it empty.", "Accept it, even if it is empty."),  # language: quote
    ("Mend the file.", "Fix the file."),  # language: quote
    ("The study was told of it.", "The study received it."),  # language: quote
    ("The sampler is told.", "The sampler receives the value."),  # language: quote
    ("It hears each epoch.", "It receives each epoch."),  # language: quote
    ("Epochs that were spared.", "Epochs that were reused."),  # language: quote
    ("The trial went all its way.", "The trial completed."),  # language: quote
    ("It was held up.", "It was delayed."),  # language: quote
    ("Beside the sweep.", "Next to the sweep."),  # language: quote
    ("As many as fit.", "Up to the number that fits."),  # language: quote
    ("Frames of nobody.", "Frames without a person."),  # language: quote
    ("One in four goes on.", "One in four is promoted."),  # language: quote
    ("Train it anew.", "Train it again."),  # language: quote
    ("Heed the limit.", "Use the limit."),  # language: quote
    ("A stand-in for training.", "A surrogate for training."),  # language: quote
    ("The remedy.", "The hint."),  # language: quote
    ("Made-up clips.", "Synthetic clips."),  # language: quote
    ("Pruned altogether.", "Pruned globally."),  # language: quote
    ("Pruned by-layer.", "Pruned layerwise."),  # language: quote
    ("Whence it came.", "The folder that it came from."),  # language: quote
    ("So too the second.", "The second is checked also."),  # language: quote
    ("It names who acts.", "It names the subject."),  # language: quote
    ("As it likes.", "Any value is allowed."),  # language: quote
    ("It tells the price.", "It prints the price."),  # language: quote
    ("Nobody waits.", "No process waits."),  # language: quote
    ("Wherever it lies.", "If the file exists."),  # language: quote
    ("After so many epochs.", "After this number of epochs."),  # language: quote
    ("Dealt into folds.", "Split into folds."),  # language: quote
    ("No strangers.", "No unknown keys."),  # language: quote
    ("The known setting.", "The initial config."),  # language: quote
    ("For want of room.", "Without enough disk space."),  # language: quote
    ("Two metres.", "Two meters."),  # language: quote
    ("The neighbours.", "The neighbors."),  # language: quote
    ("They are normalised.", "They are normalized."),  # language: quote
]


@pytest.mark.parametrize("retired", [pair[0] for pair in PHRASES])
def test_retired_phrase_is_found(retired):
    assert list(check_language.check_text(Path("x.md"), retired))


@pytest.mark.parametrize("plain", [pair[1] for pair in PHRASES])
def test_plain_sentence_passes(plain):
    assert list(check_language.check_text(Path("x.md"), plain)) == []


def test_every_phrase_has_an_example():
    examples = " ".join(pair[0] for pair in PHRASES)
    found = [match[0] for match in check_language._PHRASE.finditer(examples)]
    advice = {check_language._advice(phrase) for phrase in found}
    assert advice == set(check_language.PHRASES.values())


def test_finding_names_file_line_and_advice():
    text = "A plain line.\nIt was held up.\n"  # language: quote
    (finding,) = check_language.check_text(Path("a.md"), text)
    assert str(finding) == "a.md:2: 'held up': write delayed"  # language: quote


@pytest.mark.parametrize(
    "text",
    [
        "A recommended-remedy-free text",  # language: quote
        "dismantled, commend, besides, foretold, mended_key",
    ],
)
def test_part_of_another_word_passes(text):
    assert list(check_language.check_text(Path("x.md"), text)) == []


@pytest.mark.parametrize("mark", ["<!-- language: quote -->", "# language: quote"])
def test_quoted_line_passes(mark):
    text = f"| mend | fix | {mark}"  # language: quote
    assert list(check_language.check_text(Path("x.md"), text)) == []


@pytest.mark.parametrize("start", ["What", "How", "Whether", "Of", "The same", "Where", "Who", "That"])
def test_docstring_that_begins_with_a_riddle_is_found(start):
    source = f'def area():\n    """{start} a rectangle covers."""\n'
    (finding,) = check_language.check_python(Path("x.py"), source)
    assert finding.line == 2
    assert f"begins with {start!r}" in finding.text


@pytest.mark.parametrize(
    "source",
    [
        'def area():\n    """Return the area of a rectangle."""\n',
        'class Area:\n    """Area of a rectangle."""\n',
        '"""Areas of rectangles."""\n',
        'def area():\n    """Office hours; begins like a retired word."""\n',
    ],
)
def test_docstring_that_begins_with_a_verb_or_noun_passes(source):
    assert list(check_language.check_python(Path("x.py"), source)) == []


@pytest.mark.parametrize("owner", ["", "class Area:\n    ", "async def area():\n    "])
def test_docstrings_of_modules_classes_and_coroutines_are_checked(owner):
    source = f'{owner}"""How large it is."""\n'
    assert len(list(check_language.check_python(Path("x.py"), source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def is_told(): ...",  # language: quote
        "class TrialDiary: ...",
        "def run(told): ...",  # language: quote
        "remedy = 1",  # language: quote
        "for spared in (): ...",  # language: quote
        "async def mend(): ...",  # language: quote
    ],
)
def test_retired_word_in_a_name_is_found(source):
    (finding,) = check_language.check_python(Path("x.py"), source)
    assert "contains" in finding.text


@pytest.mark.parametrize(
    "source",
    ["def is_reported(): ...", "class TrialRecorder: ...", "hint = 1", "def dismantle(telling_apart): ..."],
)
def test_plain_name_passes(source):
    assert list(check_language.check_python(Path("x.py"), source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 'mend it'",  # language: quote
        "x = 1  # mend it",  # language: quote
        "raise ValueError('mend it')",  # language: quote
        'def f():\n    """Return x.\n\n    Mend it.\n    """',  # language: quote
    ],
)
def test_strings_comments_and_docstrings_are_checked(source):
    assert len(list(check_language.check_python(Path("x.py"), source))) == 1


def test_code_that_only_uses_a_name_passes():
    source = "study.tell(1)\nprint(other.told)\n"  # language: quote
    assert list(check_language.check_python(Path("x.py"), source)) == []


def test_python_that_does_not_parse_is_refused():
    with pytest.raises(SyntaxError):
        list(check_language.check_python(Path("x.py"), "def f(:\n"))


def test_files_are_found_by_suffix(tmp_path):
    for name in ("b.py", "a.md", "c.toml", "d.png"):
        (tmp_path / name).write_text("")
    assert [file.name for file in check_language.find_files([tmp_path])] == ["a.md", "b.py", "c.toml"]


@pytest.mark.parametrize(("text", "code"), [("Fix it.\n", 0), ("Mend it.\n", 1)])  # language: quote
def test_exit_code_says_if_anything_is_found(tmp_path, text, code):
    page = tmp_path / "page.md"
    page.write_text(text)
    ended = subprocess.run([sys.executable, SCRIPT, page], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert ended.stdout.endswith(f"{code} findings\n")
