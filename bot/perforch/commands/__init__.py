"""One file a command: options in, one call into the rooms below, printing out. Part of the `cli` room."""
