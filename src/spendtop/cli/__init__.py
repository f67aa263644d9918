"""What the shell sees: the commands of the first words, and what all of them share."""
