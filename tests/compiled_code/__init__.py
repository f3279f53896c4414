"""Tests of adapters.compiled_code."""
