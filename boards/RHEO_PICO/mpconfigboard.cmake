# Rheobase RHEO_PICO: out-of-tree MicroPython board for the rp2 port (1.25 and later).
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

find_package(Python3 REQUIRED COMPONENTS Interpreter)

# Pins of the hook come from the board's one description.
set(RHEO_BOARD_PY ${MICROPY_BOARD_DIR}/rheo_board.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${RHEO_BOARD_PY} ${MICROPY_BOARD_DIR}/../legs_header.py)
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${MICROPY_BOARD_DIR}/../legs_header.py
        ${RHEO_BOARD_PY} ${CMAKE_BINARY_DIR}/rheo_legs.h
    RESULT_VARIABLE RHEO_RESULT)
if(NOT RHEO_RESULT EQUAL 0)
    message(FATAL_ERROR "rheo_legs.h could not be made from ${RHEO_BOARD_PY}")
endif()

list(APPEND MICROPY_SOURCE_BOARD ${MICROPY_BOARD_DIR}/rheo_hook.c)

# Files to freeze: `rheo image build` hands over a folder; a plain MicroPython build makes its own.
if(NOT RHEO_STAGE)
    set(RHEO_STAGE ${CMAKE_BINARY_DIR}/rheo_stage)
    get_filename_component(RHEO_BOARD_NAME ${MICROPY_BOARD_DIR} NAME)
    file(GLOB_RECURSE RHEO_FIRMWARE CONFIGURE_DEPENDS
        ${MICROPY_BOARD_DIR}/../../firmware/*.py ${MICROPY_BOARD_DIR}/../../_firmware/*.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${RHEO_FIRMWARE})
    execute_process(
        COMMAND ${Python3_EXECUTABLE} ${MICROPY_BOARD_DIR}/../stage_firmware.py ${RHEO_BOARD_NAME} ${RHEO_STAGE}
        RESULT_VARIABLE RHEO_RESULT)
    if(NOT RHEO_RESULT EQUAL 0)
        message(FATAL_ERROR "The firmware could not be laid out for freezing")
    endif()
endif()
set(MICROPY_MANIFEST_RHEO_STAGE ${RHEO_STAGE})
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
