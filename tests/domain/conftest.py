"""Property tests count examples, not milliseconds: a busy machine must not make them fail."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
