"""The figures the project promises, measured as ratios of things that run in turn on the same machine.

`.venv/bin/python -m tests.benchmarks [name...]` prints them; `pytest -m benchmark` fails where one misses its goal.
"""
