"""The metric log: appending to it and reading its entries."""
