"""`python -m resexp`: the same as the `resexp` command."""

from resexp.cli import main

if __name__ == "__main__":  # the processes of `resexp bench` import this module by another name
    main()
