"""Draw the figures whose tables have changed."""


def main(arguments: list[str]) -> None:
    """`resexp figures`: see resexp.plots.figures."""
    from resexp.plots.figures import main_all

    main_all(arguments)
