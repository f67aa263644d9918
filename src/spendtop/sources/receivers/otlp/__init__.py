"""OpenTelemetry: traces and logs, whoever sends them."""
