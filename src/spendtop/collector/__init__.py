"""The process that listens, evaluates and delivers: every loop under one supervisor. Draws nothing."""
