"""Files that commands write for their users."""

from adapters.output_files.destination import is_standard_output, is_terminal, written

__all__ = ["is_standard_output", "is_terminal", "written"]
