"""Devices: choice, settings of the process, numerics class and peak rate."""

import re
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from autohier.core.training.devices import ACCELERATOR, _listed_flops, open_device, peak_flops
from autohier.errors import InputError


@pytest.fixture(autouse=True)
def _restore_process_settings():
    """Restore the settings of the process that open_device changes."""
    num_threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark, matmul = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(num_threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = benchmark
    torch.set_float32_matmul_precision(matmul)


def open_cpu(**options):
    given = {"precision": "float32", "deterministic": True, "compile_network": False, "num_threads": 1}
    return open_device("cpu", **{**given, **options})


def test_auto_is_the_accelerator_or_the_cpu_without_one():
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    opened = open_device(
        "auto", precision="float32", deterministic=False, compile_network=False, num_threads=1
    )
    assert opened.torch_device == (accelerator or torch.device("cpu"))


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "meta:x"])
def test_a_missing_device_is_named_in_the_error(name):
    with pytest.raises(
        InputError,
        match=rf"^--device must name a device .*, but got {name}; torch finds ",
    ):
        open_device(name, precision="float32", deterministic=False, compile_network=False, num_threads=1)


def test_the_cpu_computes_in_float32_without_compilation():
    device = open_cpu(precision="bf16", compile_network=True)
    linear = nn.Linear(2, 2)
    with device.autocast():
        assert linear(torch.ones(1, 2)).dtype == torch.float32
    assert device.numerics_class["precision"] == "float32"
    assert device.numerics_class["compiled"] == "False"


def test_a_trial_that_holds_a_gpu_does_not_compute_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: None)  # noqa: ARG005
    expected = (
        rf"on {re.escape(socket.gethostname())}, which finds no accelerator, only the CPU: install a torch"
    )
    with pytest.raises(InputError, match=expected):
        open_device(
            ACCELERATOR, precision="float32", deterministic=False, compile_network=False, num_threads=1
        )


def test_opening_a_device_sets_up_the_process():
    open_cpu(num_threads=2, deterministic=True)
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    open_cpu(num_threads=1, deterministic=False)
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark


def test_a_network_is_prepared_in_place_in_channels_last_order():
    network = nn.Sequential(nn.Conv3d(3, 8, 3), nn.BatchNorm3d(8))
    weight = network[0].weight.detach().clone()
    prepared = open_cpu().prepare(network)
    assert prepared is network
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(network[0].weight, weight)


def test_the_numerics_class_differs_if_results_may_differ():
    numerics = open_cpu().numerics_class
    assert numerics == {
        "device": "cpu",
        "precision": "float32",
        "deterministic": "True",
        "compiled": "False",
    }
    assert open_cpu(deterministic=False).numerics_class != numerics
    assert open_cpu(num_threads=2).numerics_class == numerics


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_the_peak_of_a_known_accelerator_is_listed(name, tflops):
    assert _listed_flops(name) == tflops * 1e12


@pytest.mark.parametrize("name", ["NVIDIA A10G", "Tesla T4", "NVIDIA GeForce RTX 4090", ""])
def test_the_peak_of_another_accelerator_is_not_guessed(name):
    assert _listed_flops(name) is None


def test_the_peak_of_the_cpu_is_measured():
    # The range covers a slow core and a large server; a wrong unit would be off by a factor of 1000.
    assert 1e9 < peak_flops(torch.device("cpu")) < 1e14


def test_determinism_does_not_import_the_compiler():
    # A new process, because this one may have imported the compiler already.
    code = """
import sys, torch
from autohier.core.training.devices import open_device
open_device("cpu", precision="float32", deterministic=True, compile_network=False, num_threads=1)
print(torch.are_deterministic_algorithms_enabled(), "torch._inductor" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
