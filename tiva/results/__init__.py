"""From arrays to labelled datasets, files, printed tables and figures."""
