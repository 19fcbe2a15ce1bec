"""`python -m vcedge` is the program `vcedge`."""

from vcedge.cli.main import main

main()
