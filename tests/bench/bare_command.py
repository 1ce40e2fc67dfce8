"""The baseline of ``--help``: a typer program with one command that does nothing."""

import typer

app = typer.Typer(add_completion=False)


@app.command()
def greet(name: str = typer.Option("you", help="Whom to greet.")) -> None:
    """Greet."""
    print(name)


if __name__ == "__main__":
    app()
