"""Device: a loop that makes a pulse, then the application's work while there is time, and sleeps. Needs `pulse`."""

SPARE = 6_500  # us: a sleep of 1 ms and a piece of work fit in
SPIN = 900  # us: so short a sleep is a busy wait


def run():
    ticks_us, ticks_diff, ticks_add = time.ticks_us, time.ticks_diff, time.ticks_add
    turn = 0
    due = ticks_us()
    while True:
        if turn < PULSES:
            pulse(WIDTH, GAP)
        work()
        turn = (turn + 1) % CYCLE
        due = ticks_add(due, PERIOD)  # from the time that was due: an error does not add up
        left = ticks_diff(due, ticks_us())
        while left < -(PERIOD // 2):  # far too late: left out, or pulses would crowd
            turn = (turn + 1) % CYCLE
            due = ticks_add(due, PERIOD)
            left += PERIOD
        while left > SPARE:
            time.sleep_ms(1)
            work()
            left = ticks_diff(due, ticks_us())
        if left > SPIN:  # whatever is scheduled runs in a long sleep and can make it longer
            sleep_us(left - SPIN)
            left = ticks_diff(due, ticks_us())
        if left > 0:
            sleep_us(left)


sleep_us = time.sleep_us
run()
