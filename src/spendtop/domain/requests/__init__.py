"""One call of an LLM as a source reports it, and all that is said of it beside its cost."""
