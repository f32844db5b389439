"""Model card: ``README.md`` of an exported model, in the form of Mitchell et al., FAT* 2019."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from autohier.deploy.model_file import ExportedModel, ExportedNetwork
from autohier.files import write_atomically
from autohier.text import plural


def write_model_card(folder: Path, model: ExportedModel, programs: Sequence[str]) -> None:
    """Write the model card into the folder of a model.

    Raises:
        OSError: if it cannot be written.
    """
    write_atomically(folder / "README.md", ("\n".join(_lines(model, programs)) + "\n").encode())


def _lines(model: ExportedModel, programs: Sequence[str]) -> Iterator[str]:
    yield from (f"# {model.name}", "")
    yield f"Action recognizer for {plural(len(model.classes), 'class', 'classes')} of {model.dataset}."
    yield from _use_lines(model)
    if programs:
        files = [
            f"`{network.weights.split('.')[0]}.{each}`" for network in model.networks for each in programs
        ]
        yield f"{', '.join(files)} take a batch of prepared clips and return the scores of every head."
        yield ""
    yield from ("## Networks", "")
    for network in model.networks:
        yield f"- {_network_text(network, len(model.networks))}"
    yield from ("", "## Accuracy", "")
    test = model.test_result
    yield f"- Test split ({model.protocol}): {test.text if test else 'not evaluated'}."
    yield (
        f"- Validation clips ({model.validation}): {model.validation_result.text}. They chose the model, so "
        "this figure is too high."
    )
    calibration = model.calibration
    yield (
        f"- Confidences are scaled by a temperature of {calibration.temperature:.2f}, fitted on "
        f"{plural(calibration.num_clips, 'validation clip')}. Expected calibration error there: "
        f"{calibration.error_before:.1%} before, {calibration.error_after:.1%} after."
    )
    yield from ("", "## Limits", "")
    yield (
        f"- It knows only its {plural(len(model.classes), 'class', 'classes')} and gives one of them for "
        "every clip, also for one of none."
    )
    yield "- Its accuracy holds for clips like those of its dataset: the same views, people and recording."
    if any(network.prepared.sided and network.clips.test_flip for network in model.networks):
        yield "- It averages over mirrored clips, though its classes may have a left or right side."
    yield from ("", "## Origin", "")
    origin = model.provenance
    yield f"- Exported {origin.created_at} by autohier {origin.autohier} and torch {origin.torch}."
    for network, stage, clips in zip(model.networks, origin.stages, origin.clips, strict=True):
        yield f"- {network.name}: stage `{stage}`, clips `{clips}`."
    yield from ("", "## Classes", "")
    yield ", ".join(model.classes)


def _use_lines(model: ExportedModel) -> Iterator[str]:
    formats = [network.prepared for network in model.networks]
    clip = "CLIP.mp4" if any(each.channels for each in formats) else "CLIP.npz"
    needs_poses = any(network.needs_poses for network in model.networks)
    option, argument = (" --poses POSES", ', poses="POSES"') if needs_poses else ("", "")
    yield from (
        "",
        "## Use",
        "",
        "```console",
        f"$ autohier predict . {clip}{option}",
        "```",
        "",
        "```python",
    )
    yield from ("import autohier", "", 'model = autohier.load_model(".")')
    yield from (f'model.predict("{clip}"{argument}).classes[0]', "```", "")
    if needs_poses:
        yield "`POSES` is a folder with a pose file of each clip's name, as `autohier poses` writes them."
        yield ""


def _network_text(network: ExportedNetwork, num_networks: int) -> str:
    weight = f", weight {network.fusion_weight:.3g}" if num_networks > 1 else ""
    modality = network.prepared.options.modality
    return (
        f"`{network.weights}`: {network.network.recognizer} on {network.clips.input} of {modality} clips"
        f"{weight}; {network.parameters:,} parameters; {network.multiply_adds:,} multiply-adds per frame "
        f"set, of which a clip has {network.clips.test_views}; trained on {network.trained_on}."
    )
