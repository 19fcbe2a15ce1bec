"""The command line. `main` is the program; each command is a module of its own; see `main` for how to add one."""
