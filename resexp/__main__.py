"""`python -m resexp`: the same as the `resexp` command."""

from resexp.cli import main

main()
