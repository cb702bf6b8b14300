/* Input from the PL011 (Arm DDI 0183): its part of uart-input/ring.h. */
#include "arch/arch.h"
#include "device_tree.h"
#include "lib/string.h"
#include "uart-input/ring.h"
#include "uart-pl011/uart.h"

bool uart_has_byte(void) { return !(uart_registers[UART_FLAGS] & UART_FLAGS_EMPTY); }
uint8_t uart_take_byte(void) { return (uint8_t)uart_registers[UART_DATA]; }
void uart_allow_interrupt(bool on) { uart_registers[UART_INTERRUPT_MASK] = on ? UART_RECEIVED | UART_RECEIVED_LATE : 0; }

/* Its line: "interrupts" of the node whose first register is there. */
static bool find_line(unsigned *out) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    const uint32_t *line = NULL;
    bool is_it = false;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.node != node) {
            node = p.node;
            line = NULL;
            is_it = false;
        }
        if (!strcmp(p.name, "reg") && p.size == 16) is_it = phys_to_virt(devicetree_number(p.value, 2)) == (void *)uart_registers;
        if (!strcmp(p.name, "interrupts") && p.size == 12) line = p.value;
        if (!is_it || !line) continue;
        *out = devicetree_interrupt(line);
        return true;
    }
    return false;
}

void uart_start_input(void) {
    unsigned line;
    if (!find_line(&line) || arch_irq_register(line, uart_interrupt, NULL)) return;
    uart_registers[UART_CONTROL] = UART_CONTROL_TRANSMIT | UART_CONTROL_RECEIVE;
    uart_allow_interrupt(true);
}
