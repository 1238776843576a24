"""Running what wiring opened: processes, servers, loops, signals, and an end that loses nothing."""
