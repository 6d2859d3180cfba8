"""The formats of data files, one a module: each takes a file and gives its rows exactly as they stand there."""
