"""Second board: two channels, a stage enable, and every pin and rating other than the reference board's.

A literal only: the host reads it without running it. Keys: docs/new-board.md.
"""

BOARD = {
    "name": "RHEO_DUO",
    "schema": 1,  # version of this table's shape
    "clk_sys_hz": 125_000_000,
    "clock_ppm": 50,  # tolerance of the crystal
    # Legs: contiguous from leg_base, A then B of each channel; active-high (low is off, everywhere).
    "leg_base": 16,
    "channels": [
        {"n": 1, "leg_a": 16, "leg_b": 17, "dac": 4, "mux_current": 5, "mux_voltage": 2},
        {"n": 2, "leg_a": 18, "leg_b": 19, "dac": 7, "mux_current": 1, "mux_voltage": 6},
    ],
    "isolated": True,  # channels galvanically isolated from each other (the output stage's duty)
    "interlock": 22,  # closed = high; pull-down, so a broken wire is open
    "stage_enable": 14,  # high = the stage may give current; an extra, with a pull-down outside
    "mux_select": [10, 11, 12],  # least significant first, 8:1 multiplexer into sense_adc
    "mux_supply": 3,
    "sense_adc": 27,
    # Ratings of the output stage. Set-point: duty 0..1 of the DAC <-> 0..full_scale_ua, first-order filter.
    "full_scale_ua": 40_000,
    "max_ua": 35_000,
    "compliance_mv": 48_000,
    "filter_tau_us": 4_000,
    "dac_top": 4999,  # 25.0 kHz
    # Sense: 0..3.3 V at the ADC <-> these.
    "sense_current_full_ua": 50_000,
    "sense_voltage_full_mv": 55_000,
    "sense_supply_full_mv": 20_000,
    "supply_mv": 12_000,
    "supply_min_mv": 10_000,
    "spare": [0, 1, 8, 9],  # free for the bench and for mpremote
}
