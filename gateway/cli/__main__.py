"""`python -m gateway.cli`: the command, where no script of that name was installed."""

from gateway.cli import main

if __name__ == "__main__":
    main()
