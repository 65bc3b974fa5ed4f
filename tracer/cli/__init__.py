"""The command line: one command a file. Importing a command costs nothing heavy; running it may."""
