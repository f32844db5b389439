"""Passwords of database URLs are removed from every text, and taken from the environment or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from autohier.config.storage_url import (
    PASSWORD_FILE_VARIABLE,
    PASSWORD_VARIABLE,
    check_no_other_secret,
    has_password,
    with_password,
    without_password,
)
from autohier.errors import InputError


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD_VARIABLE, PASSWORD_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
        ("postgresql+psycopg2://me:secret@host:5432/db", "postgresql+psycopg2://me@host:5432/db"),
        ("mysql://me:se:cr:et@host/db", "mysql://me@host/db"),
        ("mysql://me:secret%40@host/db", "mysql://me@host/db"),
        ("mysql://me:sec@ret@host/db", "mysql://me@host/db"),
        ("mysql://me:sec/ret@host/db", "mysql://me@host/db"),
        ("mysql://:secret@host/db", "mysql://@host/db"),
        ("--storage=mysql://me:secret@host/db", "--storage=mysql://me@host/db"),
        ("two mysql://me:secret@a/b and mysql://me:secret@c/d", "two mysql://me@a/b and mysql://me@c/d"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me&password=***"),
        ("postgresql://host/db?sslPassword=secret&a=b", "postgresql://host/db?sslPassword=***&a=b"),
        ("postgresql://me@host/db?mail=a@b", "postgresql://me@host/db?mail=a@b"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("sqlite:////work/me:you@here/study.db", "sqlite:////work/me:you@here/study.db"),
        ("--set", "--set"),
        ("me:secret@host", "me:secret@host"),
    ],
)
def test_passwords_are_removed(url: str, redacted: str) -> None:
    assert without_password(url) == redacted
    assert without_password(redacted) == redacted


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me@host:5432/db?a=b"
    assert with_password(url) == url
    monkeypatch.setenv(PASSWORD_VARIABLE, "p@ss/wörd:")
    full = with_password(url)
    assert full == "postgresql://me:p%40ss%2Fw%C3%B6rd%3A@host:5432/db?a=b"
    assert has_password(full)
    assert without_password(full) == url
    assert with_password("postgresql://host/db") == "postgresql://:p%40ss%2Fw%C3%B6rd%3A@host/db"


@pytest.mark.parametrize(
    "url", ["postgresql://me:own@host/db", "sqlite:////work/study.db", "sqlite:///me@x.db"]
)
def test_a_url_with_a_password_or_without_a_host_stays(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "other")
    assert with_password(url) == url


def test_a_password_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    monkeypatch.setenv(PASSWORD_FILE_VARIABLE, str(file))
    assert with_password("mysql://me@host/db") == "mysql://me:secret@host/db"
    monkeypatch.setenv(PASSWORD_FILE_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(InputError, match=r"PASSWORD_FILE must name a file .*missing"):
        with_password("mysql://me@host/db")


def test_other_secrets_in_a_url_are_refused() -> None:
    check_no_other_secret("postgresql://me:secret@host/db?sslmode=require&sslkey=/path")
    with pytest.raises(InputError, match=r"no other secret, but got sslpassword=\*\*\*: set"):
        check_no_other_secret("postgresql://me:secret@host/db?a=b&sslpassword=hidden")
