/* Runs STEPS steps of one cell at one level on one instruction set: kernel_steps ISA HIDDEN LEVEL STEPS, for counting
 * instructions under valgrind. Two counts with different STEPS give the instructions of a step. */
#include "../tests/kernel/c/cells.h"

int main(int count, char **arguments)
{
    if (count != 5)
        return 2;
    int isa = atoi(arguments[1]), level = atoi(arguments[3]), steps = atoi(arguments[4]);
    vce_shape shape = {3, 16, 16, atoi(arguments[2]), 16, 8};
    size_t size;
    void *model = packed_cell(&shape, isa, &size);
    vce_cell cell;
    if (vce_open(&cell, model, size))
        return 1;
    void *state = aligned(vce_state_size(&cell)), *scratch = aligned(vce_scratch_size(&cell, 1));
    float *x = numbers(16, 1.0f), y[16];
    for (int i = 0; i < steps; i++)
        vce_step(&cell, state, scratch, x, y, level, -1e30f);
    return 0;
}
