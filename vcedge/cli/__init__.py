"""Defines the command line: `main` is the program, each command a module. `main` describes how to add one."""
