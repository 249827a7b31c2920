"""The classes of all losses, a file for each family."""
