"""autohier: automatic search for hierarchical, pruned action recognizers."""

__version__ = "0.2.0"
