"""Benchmarks of whole processes; figures are for comparison within one run, never for a test."""
