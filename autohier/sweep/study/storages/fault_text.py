"""Faults of a study's database in plain words."""

from __future__ import annotations

from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from autohier.config.storage_url import without_password
from autohier.errors import one_line


def fault_text(error: Exception) -> str:
    """Return a fault in one line, without names of classes, statements of SQL, links and passwords."""
    cause = error.__cause__
    if isinstance(cause, SQLAlchemyError) and not isinstance(error, SQLAlchemyError):
        error = cause  # Optuna's own text guesses at the cause
    if isinstance(error, NoSuchModuleError):
        return "its kind of database is unknown"
    if isinstance(error, ArgumentError):
        return "it is no URL"
    if isinstance(error, ImportError):
        return "the Python driver of its database is not installed"
    # SQLAlchemy adds the class, the statement and a link to the text of the database's driver.
    return one_line(without_password(str(getattr(error, "orig", None) or error)))
