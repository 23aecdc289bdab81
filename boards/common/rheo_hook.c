// Ends of output in C: what must happen on reset even if no Python runs. Never turns anything on.
//
// A soft reset (Ctrl-D, every raw-REPL entry of mpremote) stops state machines one by one and leaves pins at
// their last level: a leg caught in a phase would be direct current until code runs again. So the pads are
// forced low before the port touches anything.

#include "hardware/dma.h"
#include "hardware/gpio.h"
#include "hardware/pio.h"
#include "hardware/pwm.h"
#include "hardware/watchdog.h"
#include "rheo_pins.h" // made from the board's rheo_board.py

#define RHEO_MARK           (0x5248454F) // "RHEO" in SCRATCH3: this hook is in the image and has run
#define RHEO_HOLD_FLAG      (1u << 4)    // PIO0 flag 4: no item starts while it is set
#define RHEO_PLAYERS        (0x7)        // machines 0 to 2, which may play a channel; 3 is the guard
#define RHEO_DMA_CHANNELS   (0x7ff)      // 0 to 10: everything the engine may use

static const uint8_t leg_pins[] = RHEO_LEG_PINS;
static const uint8_t dac_pins[] = RHEO_DAC_PINS;

// The override acts after the function select: PIO, PWM or SIO can say what they like. Selecting a function
// again opens it, which only arming does.
static void force_low(const uint8_t *pins, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        gpio_set_outover(pins[i], GPIO_OVERRIDE_LOW);
    }
}

// The stage enable is driven by its overrides alone (firmware: rheorp2/hw.py): low, with no function behind it.
static void disable_stage(void) {
    #ifdef RHEO_STAGE_ENABLE_PIN
    gpio_set_outover(RHEO_STAGE_ENABLE_PIN, GPIO_OVERRIDE_LOW);
    gpio_set_oeover(RHEO_STAGE_ENABLE_PIN, GPIO_OVERRIDE_HIGH);
    #endif
}

static void leave_mark(void) {
    watchdog_hw->scratch[3] = RHEO_MARK;
}

static void stop_dma(void) {
    // Disable first: an aborted channel that is still enabled may chain on (RP2040 erratum E13).
    for (uint channel = 0; RHEO_DMA_CHANNELS >> channel; ++channel) {
        hw_clear_bits(&dma_hw->ch[channel].al1_ctrl, DMA_CH0_CTRL_TRIG_EN_BITS);
    }
    dma_hw->abort = RHEO_DMA_CHANNELS;
    // Bounded, and on BUSY: a wait without end in here would be worse than a transfer that ends by itself.
    for (uint tries = 0; tries < 100; ++tries) {
        uint32_t busy = 0;
        for (uint channel = 0; RHEO_DMA_CHANNELS >> channel; ++channel) {
            busy |= dma_hw->ch[channel].ctrl_trig & DMA_CH0_CTRL_TRIG_BUSY_BITS;
        }
        if (!busy) {
            break;
        }
    }
}

void rheo_hook_startup(void) {
    force_low(leg_pins, sizeof(leg_pins));
    disable_stage();
    leave_mark();
}

void rheo_hook_kill(void) {
    pio0->irq_force = RHEO_HOLD_FLAG;
    force_low(leg_pins, sizeof(leg_pins));
    disable_stage();
    // Not the guard, which goes on watching until the port takes it down.
    hw_clear_bits(&pio0->ctrl, RHEO_PLAYERS << PIO_CTRL_SM_ENABLE_LSB);
    stop_dma();
    for (size_t i = 0; i < sizeof(dac_pins); ++i) {
        pwm_set_gpio_level(dac_pins[i], 0);
    }
    // Compare 0 counts from the next wrap only, and the port is about to halt the slices: so the pads too.
    force_low(dac_pins, sizeof(dac_pins));
    leave_mark();
}
