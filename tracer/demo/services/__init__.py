"""The services of the shop, one module each; each runs as a process of its own."""
