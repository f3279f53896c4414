"""JSON with text that is not Unicode: a library of the adapters that read JSON from outside."""
