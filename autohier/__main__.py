"""``python -m autohier``: the command line."""

from autohier.cli.entry import main

if __name__ == "__main__":
    main()
