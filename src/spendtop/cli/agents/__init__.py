"""Coding agents on this machine."""
