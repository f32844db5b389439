"""A callback that logs trials as JSON lines: ``autohier search SPACE --callback json-logger``."""

from autohier.extensions import Extension

extension = Extension("autohier_json_logger.callback:build")
