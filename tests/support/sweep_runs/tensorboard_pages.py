"""Requests to a TensorBoard in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard import default, program
from tensorboard.backend import application
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
from werkzeug.test import Client

Request = Callable[..., Any]


def open_tensorboard(root: Path) -> Request:
    """Load the event files once, and return a function that requests a page without a port."""
    board = program.TensorBoard(default.get_plugins())
    board.configure(logdir=str(root), load_fast="false", reload_interval=0, reload_task="blocking")
    ingester = LocalDataIngester(board.flags)
    ingester.start()
    app = application.TensorBoardWSGIApp(
        board.flags, board.plugin_loaders, ingester.data_provider, board.assets_zip_provider
    )
    client = Client(app)

    def request(path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        if body is None:
            response = client.get(f"/data/plugin/{path}", query_string=query or None)
        else:
            response = client.post(f"/data/plugin/{path}", json=body)
        assert response.status_code == 200, response.get_data(as_text=True)
        return json.loads(response.data) if "json" in response.content_type else response.data

    return request
