"""When an alert opens, speaks, is quiet and ends."""
