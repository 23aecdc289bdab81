"""The timing bench: captures of the legs from any source, one analyser that judges them, the sweep and its report."""
