"""``python -m autohier``: the command line."""

from autohier.cli.main import main

if __name__ == "__main__":
    main()
