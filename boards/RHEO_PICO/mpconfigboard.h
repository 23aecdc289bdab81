// Rheobase RHEO_PICO: a Raspberry Pi Pico with a stimulator output stage of three channels.
#define MICROPY_HW_BOARD_NAME                   "Rheobase RHEO_PICO"

#include "../common/rheo_board.h"
