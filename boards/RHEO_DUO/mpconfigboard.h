// Rheobase RHEO_DUO: a Raspberry Pi Pico with a stimulator output stage of two channels and a stage enable.
#define MICROPY_HW_BOARD_NAME                   "Rheobase RHEO_DUO"

#include "../common/rheo_board.h"
