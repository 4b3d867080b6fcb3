"""What the system tests are written with: the runtime as a command, bundles, oracles."""
