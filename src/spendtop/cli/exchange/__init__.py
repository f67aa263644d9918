"""Requests that go to other tools."""
