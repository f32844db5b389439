"""autohier: automatic search for hierarchical, pruned action recognizers."""

__version__ = "0.1.0"
