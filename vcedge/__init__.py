"""vcedge: watches sensor streams on the machine itself. Importing this imports nothing else."""

__version__ = "0.1.0"
