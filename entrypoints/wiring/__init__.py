"""The wiring: opens the adapters, composes the use cases, and closes everything again."""
