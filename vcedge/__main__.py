"""Runs the program `vcedge` as `python -m vcedge`."""

from vcedge.cli.main import main

main()
