"""What a first day needs: a configuration, whether all of it works, requests to try it with, files for services."""
