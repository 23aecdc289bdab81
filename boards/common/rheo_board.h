// What the configuration of every board has in common. A board's mpconfigboard.h names itself and includes this.

// Storage and heap are those of RPI_PICO, so that a stock image and ours share a file system.
#define MICROPY_HW_FLASH_STORAGE_BYTES          (1408 * 1024)

// Ends of output that need no Python; see rheo_hook.c.
void rheo_hook_startup(void);
void rheo_hook_kill(void);

// First thing after the clocks, on every cold boot and every reset.
#define MICROPY_BOARD_STARTUP() rheo_hook_startup()

// First thing after "MPY: soft reboot" has been printed. That print can wait for a host that does not read,
// which is why the next one exists.
#define MICROPY_BOARD_START_SOFT_RESET() rheo_hook_kill()

// boot.py or main.py has ended, in whatever way: before anything is printed about a soft reset, and before a REPL.
// What is typed at a REPL or sent over the raw REPL does not come here.
#define MICROPY_BOARD_AFTER_PYTHON_EXEC(input_kind, exec_flags, ret_val, ret) \
    do { \
        if ((exec_flags) & (EXEC_FLAG_SOURCE_IS_RAW_CODE | EXEC_FLAG_SOURCE_IS_FILENAME)) { \
            rheo_hook_kill(); \
        } \
    } while (0)
