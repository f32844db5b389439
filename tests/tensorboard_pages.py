"""TensorBoard itself, asked over HTTP in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard import default, program
from tensorboard.backend import application
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
from werkzeug.test import Client

Ask = Callable[..., Any]


def open_tensorboard(root: Path) -> Ask:
    """Load the event files once and answer requests in this process, without a port."""
    board = program.TensorBoard(default.get_plugins())
    board.configure(logdir=str(root), load_fast="false", reload_interval=0, reload_task="blocking")
    ingester = LocalDataIngester(board.flags)
    ingester.start()
    app = application.TensorBoardWSGIApp(
        board.flags, board.plugin_loaders, ingester.data_provider, board.assets_zip_provider
    )
    client = Client(app)

    def ask(path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        if body is None:
            answer = client.get(f"/data/plugin/{path}", query_string=query or None)
        else:
            answer = client.post(f"/data/plugin/{path}", json=body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return json.loads(answer.data) if "json" in answer.content_type else answer.data

    return ask
