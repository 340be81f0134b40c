"""`python -m perforch`: the command line."""

from perforch.cli import main

main()
