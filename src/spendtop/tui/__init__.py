"""The screens. What Textual takes from the environment as it is loaded is set before any of them loads it."""

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
# Textual paints sixty times a second at most: a key that comes after a paint would wait for the rest of that time.
os.environ.setdefault("TEXTUAL_FPS", "250")
