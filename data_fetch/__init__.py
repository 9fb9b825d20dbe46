"""The catalogue of sources, and the only code that talks to the network."""
