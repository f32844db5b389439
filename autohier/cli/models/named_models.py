"""A model by the name that the user gives: a trial, a fusion or an exported model, with its own folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from autohier.cli.console_callback import member_opener
from autohier.cli.models.given_data import data_folder, other_stores
from autohier.cli.options import DEFAULT_OUT
from autohier.data.store.reader import ClipStore
from autohier.deploy.trained_models import TrainedModel, exported_model, finished_model, is_exported
from autohier.errors import InputError
from autohier.fusion.evaluate import Model, find_model
from autohier.fusion.members import MemberOpener
from autohier.machine import usable_cores
from autohier.sweep.relocation import GivenFolders


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Options that name a model and say how it computes."""

    name: str
    refit: bool | None
    data: tuple[str, ...]
    """Values of ``--data``."""
    out: Path | None
    pretrained: Path | None
    device: str
    threads: int | None
    console: Console

    @property
    def names_other_clips(self) -> bool:
        """True if ``--data`` names another prepared dataset."""
        return len(self.data) > (data_folder(self.data) is not None)

    def find(self) -> Model:
        """Return the trial or the fusion.

        Raises:
            InputError: if the name is unknown or that of an exported model.
        """
        if is_exported(self.name):
            raise InputError(
                "an exported model has no clips of its own",
                got=self.name,
                hint="name a prepared dataset with --data, or the trial in place of the model",
            )
        folders = GivenFolders(data_folder(self.data), self.out, self.pretrained)
        return find_model(self.name, self.out or DEFAULT_OUT, folders)

    def opener(self) -> MemberOpener:
        """Return the function that opens members."""
        return member_opener(self.console, self.device, self.threads)

    def open_with_others(self) -> tuple[TrainedModel, list[ClipStore]]:
        """Open the model, and the other prepared datasets that ``--data`` names.

        Raises:
            InputError: if the model is unknown, or a dataset is not prepared.
            MissingDataError: if prepared clips are missing or damaged.
        """
        if is_exported(self.name):
            threads = self.threads or usable_cores()
            exported = exported_model(Path(self.name), device=self.device, num_threads=threads)
            return exported, other_stores(self.data, [])
        found = self.find()
        refitted = found.refits("test", self.refit)
        model = finished_model(found, refitted=refitted, opener=self.opener(), log=self.console.print)
        own_folders = [Path(member.clip_folder).parent for member in found.members]
        return model, other_stores(self.data, own_folders)
