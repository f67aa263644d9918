"""`spendtop mcp`: the questions of the API for agents, by the Model Context Protocol."""
