"""Tests of the PromQL evaluator."""
