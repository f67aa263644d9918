"""Where requests and costs come from: receivers are pushed to, pollers ask. One file per source; all in `registry`."""
