"""Places of a fusion's members: their sweeps, stages and clips may have moved since they were fused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autohier.config.frozen import validate
from autohier.config.fusion import Member
from autohier.config.trial.trial_config import TrialConfig
from autohier.config.trial.weights_files import relocate_weights
from autohier.core.recipes.chain import chain_kind
from autohier.core.stages.store.stage_store import StageStore
from autohier.data.store.paths import store_folder
from autohier.sweep.paths import SweepFolder, stage_folder
from autohier.sweep.relocation import GivenFolders, place_in

_PATHS = ("sweep", "stage_folder", "clip_folder")


def place_member(member: Member, out: Path) -> Member:
    """Return a member with every path in ``--out`` relative to it.

    Args:
        member: with absolute paths.
        out: absolute path of the folder that holds the fusion and sweeps.
    """
    return member.model_copy(update={name: place_in(out, getattr(member, name)) for name in _PATHS})


def locate_member(member: Member, outs: Sequence[Path], given: GivenFolders) -> Member:
    """Return a member with the paths of its sweep, its stages and its clips.

    The stored places come first. Of several stage stores, the first with the member's network is taken, since
    equal keys have equal content.

    Args:
        member: as it is stored; its paths are absolute, or relative to the first of ``outs``.
        outs: folders that may be the fusion's ``--out``.
        given: folders that the user names.
    """
    outs = [*outs, *([given.out.resolve()] if given.out else [])]
    stored = {name: Path(getattr(member, name)) for name in _PATHS}
    paths = {name: outs[0] / path if outs else path for name, path in stored.items()}
    name = paths["sweep"].name
    sweeps = [paths["sweep"], *(out / name for out in outs)]
    stores = [paths["stage_folder"], *map(stage_folder, outs)]
    kind, keys = chain_kind(member.config, member.kept_pass), member.stage_keys[-1]
    whole = [each for each in stores if all(StageStore(each).holds(kind, key) for key in keys)]
    present = [each for each in stores if each.is_dir()]
    paths["stage_folder"] = [*whole, *present, stores[0]][0]
    paths["sweep"] = next((each for each in sweeps if SweepFolder(each).plan_file.is_file()), sweeps[0])
    if given.data is not None:
        modality = member.config.clips.modality
        paths["clip_folder"] = store_folder(given.data.resolve(), member.config.dataset, modality)
    changes: dict[str, object] = {name: str(path) for name, path in paths.items()}
    if given.weights is not None:
        values = relocate_weights(member.config.model_dump(mode="json"), given.weights)
        changes["config"] = validate(TrialConfig, values, origin="--pretrained")
    return member.model_copy(update=changes)
