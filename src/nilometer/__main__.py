"""``python -m nilometer``: the command line, where the script is not on the path."""

from nilometer.cli.main import run

if __name__ == "__main__":
    run()
