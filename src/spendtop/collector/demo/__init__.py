"""The demo: a month of traffic at once, and what keeps coming in."""
