"""What faces ask of the collector, done beside everything else that it does."""
