"""Names of the files of a stored stage; imports no torch."""

from __future__ import annotations

from typing import Final

STAGE_FILE: Final = "stage.json"
"""Description."""
MODEL_FILE: Final = "model.safetensors"
EPOCHS_FILE: Final = "epochs.parquet"
CONFUSION_FILE: Final = "confusion.npy"
CONTENTS: Final = (MODEL_FILE, EPOCHS_FILE, CONFUSION_FILE)
"""All but the description."""
