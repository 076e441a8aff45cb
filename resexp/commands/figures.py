"""Draw the figures whose tables have changed."""

from resexp.exits import refuse


def main(arguments: list[str]) -> None:
    """`resexp figures`: see resexp.plots.figures."""
    from resexp.plots.figures import main_all

    try:
        main_all(arguments)
    except ValueError as error:
        refuse(error)
