# What every board of Rheobase has in common, for the rp2 port (1.25 and later). Included by its mpconfigboard.cmake.
set(PICO_PLATFORM "rp2040")
list(APPEND MICROPY_SOURCE_BOARD ${CMAKE_CURRENT_LIST_DIR}/rheo_hook.c)

# Files to freeze, and the header with the hook's pins: `rheo image build` hands over both, made from the board's one
# description; a plain MicroPython build makes its own.
if(NOT RHEO_STAGE)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(RHEO_STAGE ${CMAKE_BINARY_DIR}/rheo_stage)
    set(RHEO_PINS_H ${CMAKE_BINARY_DIR}/rheo_stage.h)
    get_filename_component(RHEO_BOARD_NAME ${MICROPY_BOARD_DIR} NAME)
    file(GLOB_RECURSE RHEO_FIRMWARE CONFIGURE_DEPENDS
        ${CMAKE_CURRENT_LIST_DIR}/../../firmware/*.py ${CMAKE_CURRENT_LIST_DIR}/../../_firmware/*.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${RHEO_FIRMWARE} ${MICROPY_BOARD_DIR}/rheo_board.py)
    execute_process(
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/stage_firmware.py
            ${RHEO_BOARD_NAME} ${RHEO_STAGE} ${RHEO_PINS_H}
        RESULT_VARIABLE RHEO_RESULT)
    if(NOT RHEO_RESULT EQUAL 0)
        message(FATAL_ERROR "The firmware could not be laid out for freezing")
    endif()
endif()
configure_file(${RHEO_PINS_H} ${CMAKE_BINARY_DIR}/rheo_pins.h COPYONLY)
set(MICROPY_MANIFEST_RHEO_STAGE ${RHEO_STAGE})
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
