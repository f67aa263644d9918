"""Alerts, the messages about them, and the channels that these take."""
