"""`python -m resexp`: the same as the `resexp` command."""

from resexp.cli import main

if __name__ == "__main__":  # the spawned processes of `resexp bench` import this module as __mp_main__
    main()
