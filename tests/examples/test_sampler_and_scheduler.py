"""The example packages keep the contracts of samplers and trial schedulers."""

from __future__ import annotations

from pathlib import Path

from support.fakes.fake_packages import EXAMPLES, run_with_examples

PACKAGES = ("autohier-sampler", "autohier-scheduler")
NAMES = ("halton", "median")
SUITES = (
    "tests/sweep/study/sampling/test_sampler_contract.py",
    "tests/sweep/scheduling/test_scheduler_contract.py",
)


def test_they_keep_their_contracts(tmp_path: Path) -> None:
    files = [EXAMPLES.parent / suite for suite in SUITES]
    options = ("-vv", "-p", "no:cacheprovider", "-k", " or ".join(NAMES))
    printed = run_with_examples(PACKAGES, tmp_path / "site", "-m", "pytest", *options, *files)
    for suite, name in zip(SUITES, NAMES, strict=True):
        lines = [line for line in printed.splitlines() if Path(suite).name in line and name in line]
        tests = [line for line in lines if line.endswith("%]")]  # not those of other reports, as of durations
        assert tests
        assert all("PASSED" in line for line in tests)


def test_their_registries_name_them_and_their_packages(tmp_path: Path) -> None:
    code = (
        "from autohier.config.sweep_extensions import SAMPLERS, TRIAL_SCHEDULERS\n"
        "for registry in (SAMPLERS, TRIAL_SCHEDULERS):\n"
        "    print(registry.names[-1], registry.source(registry.names[-1]))"
    )
    assert run_with_examples(PACKAGES, tmp_path / "site", "-c", code).splitlines() == [
        f"{name} Source(package={package!r}, version='0.1.0')"
        for name, package in zip(NAMES, PACKAGES, strict=True)
    ]
