"""From marks on limits to alerts, and from alerts to messages."""
