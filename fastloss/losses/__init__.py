"""The classes of all losses, a file for each family, whose ``__all__`` names what is public."""
