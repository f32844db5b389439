"""Starting weights of a trial: what recognizer.start names, what is loaded, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from autohier.config.search.loading import load_space
from autohier.config.search.search_space import SearchSpace
from autohier.config.trial.hyperparameters import FLAT_PARAMS
from autohier.core.stages.checks.started_clips import started_clips_text
from autohier.core.stages.compacted import write_compacted
from autohier.core.stages.setup.starting_weights import content_digest, read_start
from autohier.core.stages.setup.trial_setup import TrialSetup
from autohier.core.stages.store.stage_store import StageStore
from autohier.core.trial import TrialOutcome, train_pass_1
from autohier.data.store.reader import ClipStore
from autohier.errors import AutohierError, InputError, StageDamagedError
from autohier.sweep.paths import SweepFolder
from autohier.sweep.plans.starts import check_networks, find_start, resolve_starts, start_stages
from support.command_line import Autohier
from support.sources.tiny_clips import SPACE_FILE, open_tiny_trial
from support.sweep_runs.finished_sweeps import finish_sweep

STANDSTILL = ("optimisation.learning_rate=1e-30", "pass_1.epochs=1")


@dataclass(frozen=True)
class Source:
    """A finished sweep whose networks others start from."""

    out: Path
    outcome: TrialOutcome

    def stage(self, index: int) -> Path:
        result = self.outcome.stages[index]
        return self.out / "stages" / result.kind.name / result.key

    def tensors(self, index: int) -> dict[str, Tensor]:
        return load_file(self.stage(index) / "model.safetensors")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Source:
    out = tmp_path_factory.mktemp("start")
    _, (outcome,) = finish_sweep(out, "source", tiny_data, passes=1)
    return Source(out, outcome)


def space(*overrides: str) -> SearchSpace:
    return load_space(str(SPACE_FILE), [*STANDSTILL, *overrides])


def open_start(start: object, data: Path, stages: Path, *overrides: str) -> TrialSetup:
    config = space(f"recognizer.start={start}", *overrides).config(FLAT_PARAMS, seed=5)
    return open_tiny_trial(config, ClipStore.open(data / "demo"), stages)


class TestNames:
    @pytest.mark.parametrize("name", ["source", "source:t0000"])
    def test_a_sweep_or_trial_is_its_unpruned_network(self, source: Source, name: str) -> None:
        assert find_start(name, source.out) == source.stage(1)
        by_path = name.replace("source", str(source.out / "source"))
        assert find_start(by_path, source.out / "elsewhere") == source.stage(1)

    def test_paths_become_absolute(
        self, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "any.pth").touch()
        monkeypatch.chdir(tmp_path)
        assert find_start("any.pth", source.out) == tmp_path / "any.pth"
        monkeypatch.chdir(source.stage(2).parent)
        assert find_start(source.stage(2).name, source.out) == source.stage(2)

    def test_the_weights_of_a_stage_are_the_stage(self, source: Source, tmp_path: Path) -> None:
        weights = source.stage(1) / "model.safetensors"
        assert find_start(str(weights), source.out) == source.stage(1)
        assert find_start(str(source.stage(1) / "stage.json"), source.out) == source.stage(1) / "stage.json"
        copy = str(shutil.copy(weights, tmp_path))
        assert find_start(copy, source.out) == tmp_path / "model.safetensors"

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            (
                "nothing",
                r"recognizer\.start must name a sweep, .* but got 'nothing', which is no sweep in .* --out",
            ),
            ("nothing:t0000", r"got 'nothing:t0000', which is no sweep"),
            ("source:t0009", r"a trial of .*source must be complete, but got t0009"),
        ],
    )
    def test_a_name_of_nothing_is_refused(self, source: Source, name: str, error: str) -> None:
        with pytest.raises(InputError, match=error):
            find_start(name, source.out)

    def test_a_stage_that_was_collected_is_named(self, source: Source, tmp_path: Path) -> None:
        shutil.copytree(source.out, tmp_path / "copy")
        shutil.rmtree(tmp_path / "copy" / "stages" / "pass-2")
        with pytest.raises(InputError, match=r"pass 2 of source:t0000 must be in the stage"):
            find_start("source", tmp_path / "copy")

    def test_every_start_of_a_space_is_resolved_once_and_for_all(self, source: Source) -> None:
        table = f"['source', '{source.stage(0)}']"
        given = space("recognizer.start=source", f"search.settings={{'recognizer.start'={table}}}")
        resolved = resolve_starts(given, source.out)
        assert resolved.recognizer.start == str(source.stage(1))
        searched = resolved.search.settings["recognizer.start"]
        assert searched == (str(source.stage(1)), str(source.stage(0)))
        assert resolve_starts(resolved, Path("elsewhere")) == resolved
        for none in (space(), space("recognizer.start=''")):
            assert none == resolve_starts(none, Path("elsewhere"))


class TestPlaces:
    def test_a_stage_in_out_is_relative_to_it_and_moves_along(self, source: Source, tmp_path: Path) -> None:
        out = tmp_path / "old"
        shutil.copytree(source.out, out)
        folder = SweepFolder(out / "source")
        plan, origin = folder.read_plan()
        started = resolve_starts(space("recognizer.start=source"), out)
        folder.write_plan(plan.model_copy(update={"space": started}), origin)
        stored = json.loads(folder.plan_file.read_text())["plan"]["space"]["recognizer"]["start"]
        assert stored == f"stages/pass-2/{source.stage(1).name}"
        out.rename(tmp_path / "new")
        moved, _ = SweepFolder(tmp_path / "new" / "source").read_plan()
        assert moved.space.recognizer.start_paths == {"": tmp_path / "new" / stored}
        assert list(start_stages(moved)) == [source.stage(1).name]


class TestTrials:
    def test_pass_1_starts_from_the_weights_and_its_head_does_not(
        self, source: Source, tmp_path: Path, tiny_data: Path
    ) -> None:
        trial = open_start(source.stage(1), tiny_data, tmp_path)
        pass_1 = train_pass_1(trial)
        found = StageStore(tmp_path).load_weights(pass_1.kind, pass_1.key)
        untrained = train_pass_1(
            open_tiny_trial(space().config(FLAT_PARAMS, seed=5), trial.context.clips, tmp_path)
        )
        plain = StageStore(tmp_path).load_weights(untrained.kind, untrained.key)
        theirs = source.tensors(1)
        for name in (name for name in theirs if name.startswith("recognizer.") and name.endswith("weight")):
            torch.testing.assert_close(found[name], theirs[name], rtol=1e-6, atol=1e-20)
        assert torch.equal(found["heads.stack4.weight"], plain["heads.stack4.weight"])
        assert pass_1.key != untrained.key
        inputs = trial.base.network
        assert inputs.start_sha256 == read_start(source.stage(1), "inflated-resnet18").sha256
        assert "start" not in inputs.options

    def test_other_classes_fit(self, source: Source, tmp_path: Path, tiny_data: Path) -> None:
        trial = open_start(source.stage(1), tiny_data, tmp_path)
        other = trial.base.network.model_copy(update={"num_classes": 3})
        built = trial.context.build_headed(other, [2, other.num_classes], seed=0, heads="stacks")
        assert torch.equal(
            built.recognizer.state_dict()["conv1.weight"], source.tensors(1)["recognizer.conv1.weight"]
        )
        assert built.num_outputs == (2, 3)

    def test_one_line_says_what_is_loaded(self, source: Source, tmp_path: Path, tiny_data: Path) -> None:
        key = source.stage(1).name[:12]
        line = open_start(source.stage(1), tiny_data, tmp_path).describe_start()
        num_tensors = sum(name.startswith("recognizer.") for name in source.tensors(1))
        assert line.startswith(f"start: {num_tensors} tensors (")
        assert line.endswith(f"of pass 2 of inflated-resnet18, stage {key}; initial values keep the heads")
        pruned = open_start(source.stage(2), tiny_data, tmp_path).describe_start()
        num_pruned = sum(
            int((~mask.bool()).sum()) for name, mask in source.tensors(2).items() if "alive" in name
        )
        assert pruned.endswith(f"; {num_pruned} pruned filters start at zero")
        assert open_start("", tiny_data, tmp_path).describe_start() == ""

    @pytest.mark.parametrize(
        ("overrides", "seen"),
        [
            ((), ""),
            (("protocol.clips_per_class=1",), ""),
            # The source trains on subjects 1, 3 and 7 and validates on 9; all have 24 clips.
            (("protocol.held_out=[1]",), "24 of 24 validation clips"),
            (("protocol.held_out=[1, 9]",), "24 of 48 validation clips"),
            (("protocol.validation=folds", "protocol.num_folds=4"), "72 of 96 validation clips"),
        ],
    )
    def test_weights_that_have_seen_clips_to_be_measured_are_named(
        self, source: Source, tmp_path: Path, tiny_data: Path, overrides: tuple[str, ...], seen: str
    ) -> None:
        text = open_start(source.stage(1), tiny_data, tmp_path, *overrides).describe_start()
        warning = f"WARNING: the starting weights were trained on {seen}, so that" if seen else ""
        assert text.partition("\n")[2].partition(" accuracies")[0] == warning

    def test_an_exported_network_knows_its_training_clips(
        self, source: Source, tmp_path: Path, tiny_data: Path
    ) -> None:
        result = source.outcome.stages[1]
        write_compacted(
            StageStore(source.out / "stages"), result.kind, result.key, tmp_path / "a.safetensors"
        )
        trial = open_start(tmp_path / "a.safetensors", tiny_data, tmp_path, "protocol.held_out=[1]")
        assert "trained on 24 of 24 validation clips" in trial.describe_start()

    def test_weights_of_other_clips_are_not_judged(
        self, source: Source, tmp_path: Path, tiny_data: Path
    ) -> None:
        trial = open_start(source.stage(1), tiny_data, tmp_path, "protocol.held_out=[1]")
        trained_on = read_start(source.stage(1), "inflated-resnet18").trained_on
        assert trained_on is not None
        refit = trained_on.model_copy(update={"all_training_clips": True})
        clips = trial.context.clips
        assert "24 of 24 validation clips" in started_clips_text(refit, clips, [trial.base])
        other = trained_on.model_copy(update={"data": "0" * 64})
        assert started_clips_text(other, clips, [trial.base]) == ""
        assert started_clips_text(None, clips, [trial.base]) == ""

    def test_weights_that_change_while_a_trial_runs_are_refused(
        self, source: Source, tmp_path: Path, tiny_data: Path
    ) -> None:
        tensors = {name: each for name, each in source.tensors(1).items() if name.startswith("recognizer.")}
        save_file(tensors, tmp_path / "own.safetensors")
        trial = open_start(tmp_path / "own.safetensors", tiny_data, tmp_path)
        tensors["recognizer.conv1.weight"] += 1
        save_file(tensors, tmp_path / "own.safetensors")
        with pytest.raises(InputError, match=r"recognizer\.start must not change while a trial runs"):
            train_pass_1(trial)


class TestFiles:
    def test_an_exported_model_fits_and_a_pruned_one_does_not(self, source: Source, tmp_path: Path) -> None:
        for index, name in ((1, "whole"), (2, "pruned")):
            (tmp_path / name).mkdir()
            result = source.outcome.stages[index]
            file = tmp_path / name / "network1.safetensors"
            write_compacted(StageStore(source.out / "stages"), result.kind, result.key, file)
        check_networks(space(f"recognizer.start={tmp_path / 'whole'}"))
        whole = read_start(tmp_path / "whole", "inflated-resnet18")
        assert whole.sha256 == read_start(source.stage(1), "inflated-resnet18").sha256
        with pytest.raises(
            InputError, match=r"of another shape .*: a pruned model is exported without its dead"
        ):
            check_networks(space(f"recognizer.start={tmp_path / 'pruned'}"))
        shutil.copy(tmp_path / "pruned" / "network1.safetensors", tmp_path / "whole" / "network2.safetensors")
        with pytest.raises(InputError, match=r"must name one network, but got .*network1.*network2"):
            read_start(tmp_path / "whole", "inflated-resnet18")

    def test_a_network_of_another_size_is_refused_with_the_names(self, source: Source) -> None:
        wider = space(f"recognizer.start={source.stage(1)}", "recognizer.width=0.25")
        with pytest.raises(
            InputError, match=r"tensors of another shape \(.*in pass 2 of inflated-resnet18.*width"
        ):
            check_networks(wider)
        deeper = space(f"recognizer.start={source.stage(1)}", "recognizer.name=inflated-resnet34")
        with pytest.raises(InputError, match=r"tensors missing \(layer1\.2\.conv1\.weight"):
            check_networks(deeper)

    def test_a_2d_network_belongs_elsewhere(self, source: Source, tmp_path: Path) -> None:
        flat = {
            name.removeprefix("recognizer."): each[:, :, 0].contiguous() if each.ndim == 5 else each
            for name, each in source.tensors(1).items()
            if name.startswith("recognizer.")
        }
        save_file(flat, tmp_path / "2d.safetensors")
        with pytest.raises(InputError, match=r"name the weights of a 2D network as recognizer\.weights"):
            check_networks(space(f"recognizer.start={tmp_path / '2d.safetensors'}"))

    def test_a_damaged_stage_is_refused(self, source: Source, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(source.stage(1), tmp_path / source.stage(1).name))
        content = bytearray((copy / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (copy / "model.safetensors").write_bytes(content)
        with pytest.raises(StageDamagedError, match=r"weights of stage .* must match their digest"):
            read_start(copy, "inflated-resnet18")

    @pytest.mark.parametrize("content", [b"", b"no weights"])
    def test_other_files_are_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "any.pth").write_bytes(content)
        with pytest.raises(AutohierError, match=r"any\.pth must be a \.safetensors or \.pth file"):
            check_networks(space(f"recognizer.start={tmp_path / 'any.pth'}"))
        with pytest.raises(InputError, match=r"must name trained weights, but got none at"):
            read_start(tmp_path, "inflated-resnet18")

    def test_modules_of_a_recognizer_may_have_the_names_of_heads(self, tmp_path: Path) -> None:
        tensors = {f"{name}.weight": torch.ones(1) for name in ("recognizer.fc", "recognizer.a", "heads.a")}
        save_file(tensors, tmp_path / "own.safetensors")
        assert read_start(tmp_path / "own.safetensors", "any").tensors.keys() == {"fc.weight", "a.weight"}

    def test_values_that_are_not_finite_are_refused(self, tmp_path: Path) -> None:
        torch.save({"conv1.weight": torch.tensor([float("nan")])}, tmp_path / "any.pth")
        with pytest.raises(InputError, match=r"must have finite values, but got others in conv1\.weight"):
            read_start(tmp_path / "any.pth", "inflated-resnet18")

    def test_both_starts_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"from recognizer\.weights \(2D\) or from recognizer\.start"):
            space("recognizer.start=a.pth", "recognizer.weights=b.pth")


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (
            ("search.settings={'recognizer.windows'=[[3, 5], [3, 4]]}",),
            "windows must be different odd numbers",
        ),
        (("search.levels=3", "search.counts=[2, 3, 4, 5]"), "heads"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_before_any_clips_exist(
    overrides: tuple[str, ...], error: str
) -> None:
    skeletons = "clips={input='skeletons', modality='skeleton'}"
    given = space("recognizer.name=ms-g3d", skeletons, "initial=[]", *overrides)
    with pytest.raises(InputError, match=error):
        check_networks(given)


def test_the_digest_names_values_types_shapes_and_names() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.ones(1)}
    others: list[dict[str, Tensor]] = [
        {"a": torch.tensor([1.0, 3.0]), "b": torch.ones(1)},
        {"a": torch.tensor([[1.0, 2.0]]), "b": torch.ones(1)},
        {"a": torch.tensor([1.0, 2.0], dtype=torch.float64), "b": torch.ones(1)},
        {"c": torch.tensor([1.0, 2.0]), "b": torch.ones(1)},
        {"a": torch.tensor([1.0, 2.0])},
    ]
    assert content_digest(dict(reversed(one.items()))) == content_digest(one)
    assert len({content_digest(each) for each in (one, *others)}) == len(others) + 1


class TestCommands:
    """The line on the start, and errors before anything is computed."""

    def test_check_dry_run_and_train_say_what_is_loaded(
        self, autohier: Autohier, source: Source, tiny_data: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        shutil.copytree(source.out, out)
        common = (SPACE_FILE, "--out", out, "--data", tiny_data, "--set", "pass_1.epochs=1")
        key = source.stage(1).name[:12]
        line = f"of pass 2 of inflated-resnet18, stage {key}; initial values keep the heads"
        start = ("--start", "source")
        checked = autohier("check", *common, "--set", "recognizer.start=source")
        assert (checked.code, checked.err) == (0, "")
        assert line in checked.out
        assert line in autohier("search", *common, *start, "--dry-run").out
        quick = ("--threads", 1, "--device", "cpu", "--set", "passes=0", "--set", "pass_2.epochs=1")
        trained = autohier("train", *common, *start, *quick)
        assert (trained.code, trained.err) == (0, "")
        assert line in trained.out

    def test_they_refuse_a_wrong_start_before_the_data_are_prepared(
        self, autohier: Autohier, source: Source, tmp_path: Path
    ) -> None:
        options = ("--out", source.out, "--data", tmp_path)
        wider = ("--set", "recognizer.start=source", "--set", "recognizer.width=0.5")
        for command in (("check", SPACE_FILE), ("search", SPACE_FILE), ("search", SPACE_FILE, "--dry-run")):
            assert "recognizer.start must have the names" in autohier(*command, *options, *wider).error
            error = autohier(*command, *options, "--set", "recognizer.start=sourec").error
            assert "'sourec', which is no sweep in" in error
        assert not list(tmp_path.iterdir())

    def test_a_plan_needs_no_weights(self, autohier: Autohier, tiny_data: Path) -> None:
        planned = autohier(
            "plan", SPACE_FILE, "--data", tiny_data, "--set", "recognizer.start=gone", "--trials", 2
        )
        assert (planned.code, "gone" in planned.out) == (0, False)
