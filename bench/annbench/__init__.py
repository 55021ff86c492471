"""The parts of bench/run: data sets, the throw-away server, the engine table, what is measured, and the report."""
