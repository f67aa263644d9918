"""Sums over spans of time."""
