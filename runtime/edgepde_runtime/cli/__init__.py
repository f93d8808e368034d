"""The commands of the device, a module each: SUMMARY, EXAMPLE, `arguments(parser)`, `execute(args) -> exit code`."""
