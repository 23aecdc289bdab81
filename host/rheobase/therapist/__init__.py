"""The therapist's path through `rheo run`: screening, live screen, steps after. Reaches boards by sessions only."""
