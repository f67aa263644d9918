"""Coding agents on this machine: a process that reads their files, and what records what it tells."""
