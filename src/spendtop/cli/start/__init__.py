"""What keeps running once it was called: the screens, the collector, the demo."""
