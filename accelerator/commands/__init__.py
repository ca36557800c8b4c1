"""The commands of ``resilian``, by family; each module holds a Typer application named ``app``."""
