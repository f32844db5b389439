"""Edits of a file's content: truncation, and changes of bytes, numbers and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from hypothesis import strategies as st

Edit = Callable[[bytes], bytes]

WORDS: Final = [
    *(b"nan", b"inf", b"-inf", b"-1", b"0", b"1", b"-0", b"1e400", b"1e-400", b"3.5", b"1_0", b"0x10", b"+1"),
    *(b"1000000000", b"1000000000000000000", b"4294967296", b"9" * 400, b"9" * 5000, b"1e9", b"1.#IND"),
    *(b"", b"-", b".", b"\xff\xfe", b"\x00", b"\x1b[31m", b"\xc2\x85", b"\xe2\x80\xa8", b"\xd9\xa3"),
    *(b"true", b"null", b'"a"', b"[]", b"{}", b"[" * 2000, b'"', b",", b"\n", b"x" * 100_000),
]
"""Repositionments for words of a text."""

_WORD: Final = re.compile(rb"[^\s,;:\[\]{}\"]+")
_NUMBERS: Final = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1]


def cuts(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a file truncated at every tenth of its length, and other variants of the whole file."""
    for tenths in range(10):
        yield f"{tenths} tenths", content[: len(content) * tenths // 10]
    yield "all but a byte", content[:-1]
    yield "a byte more", content + b"\0"
    yield "a word more", content + b"1"
    yield "twice", content * 2
    yield "zeros", bytes(len(content))
    yield "blanks", b" \n" * 50
    yield "not text", b"\xff\xfe" * 50
    yield "a byte order mark", b"\xef\xbb\xbf" + content


def words(content: bytes, repositionments: Sequence[bytes] = WORDS) -> Iterator[tuple[str, bytes]]:
    """Yield a text in which one of its first words, or of two later ones, has each repositionment."""
    matches = list(_WORD.finditer(content))
    for match in (*matches[:2], *matches[14:15], *matches[len(matches) // 2 : len(matches) // 2 + 1]):
        for word in repositionments:
            name = f"{word[:20]!r} for {match[0][:20]!r} at {match.start()}"
            yield name, content[: match.start()] + word + content[match.end() :]


def _set_byte(at: int, value: int) -> Edit:
    return lambda content: content[: at % len(content)] + bytes([value]) + content[at % len(content) + 1 :]


def _set_number(at: int, number: int, order: Literal["little", "big"], size: int) -> Edit:
    value = (number & (1 << 8 * size) - 1).to_bytes(size, order)

    def edit(content: bytes) -> bytes:
        position = at % len(content) // 4 * 4
        return content[:position] + value + content[position + size :]

    return edit


def _cut(at: int, length: int) -> Edit:
    return lambda content: content[: at % len(content)] + content[at % len(content) + length :]


def _repeat(at: int, length: int, times: int) -> Edit:
    def edit(content: bytes) -> bytes:
        position = at % len(content)
        return (
            content[:position] + content[position : position + length] * times + content[position + length :]
        )

    return edit


def _insert(at: int, more: bytes) -> Edit:
    return lambda content: content[: at % len(content)] + more + content[at % len(content) :]


def _set_word(number: int, word: bytes) -> Edit:
    def edit(content: bytes) -> bytes:
        matches = list(_WORD.finditer(content))
        if not matches:
            return content + word
        match = matches[number % len(matches)]
        return content[: match.start()] + word + content[match.end() :]

    return edit


# Half of the positions are near the start, where headers are.
_POSITIONS: Final = st.one_of(st.integers(0, 400), st.integers(0, 2**30))
_LENGTHS: Final = st.integers(1, 64)
_OF_ALL: Final = [
    st.builds(_set_byte, _POSITIONS, st.integers(0, 255)),
    st.builds(_cut, _POSITIONS, _LENGTHS),
    st.builds(_repeat, _POSITIONS, _LENGTHS, st.sampled_from([2, 3, 100])),
    st.builds(_insert, _POSITIONS, st.binary(min_size=1, max_size=16)),
]
_OF_BYTES: Final = [
    st.builds(
        _set_number,
        _POSITIONS,
        st.sampled_from(_NUMBERS) | st.integers(0, 2**32 - 1),
        st.sampled_from(["little", "big"]),
        st.sampled_from([2, 4, 8]),
    )
]
_OF_TEXT: Final = [st.builds(_set_word, _POSITIONS, st.sampled_from(WORDS))] * 3


def edited(content: bytes, *, is_text: bool) -> st.SearchStrategy[bytes]:
    """Return a strategy for the content after one to four edits."""

    def apply(edits: list[Edit]) -> bytes:
        after = content
        for edit in edits:
            after = edit(after) if after else after
        return after

    kinds = st.one_of(*_OF_ALL, *(_OF_TEXT if is_text else _OF_BYTES))
    return st.lists(kinds, min_size=1, max_size=4).map(apply)
