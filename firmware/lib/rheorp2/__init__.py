"""Hardware of the RP2040: the only place that imports machine or rp2. Thin drivers; the decisions are rheocore's."""
