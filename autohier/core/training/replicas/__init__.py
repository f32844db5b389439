"""Replicas: several processes that train one network together, each on its share of every batch."""

from autohier.core.training.replicas.base import SOLO, Replicas, share_bytes, share_tensors

__all__ = ["SOLO", "Replicas", "share_bytes", "share_tensors"]
