"""Programs whose bits are compared: a module has programs(folder, seed), which may write sources into the folder."""
