"""Device: a periodic machine.Timer whose callback makes a pulse; the program itself does the work. Needs `pulse`."""

turn = 0


def tick(timer):
    global turn
    if turn < PULSES:
        pulse(WIDTH, GAP)
    turn = (turn + 1) % CYCLE


options = {"hard": True} if HARD else {}
ticker = Timer(period=PERIOD, tick_hz=1_000_000, callback=tick, **options)
while True:
    work()
    time.sleep_ms(1)
