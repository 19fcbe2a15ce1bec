/* One step, and a step of many streams grouped by level; included by each isa_*.c after cell.h or int8.h,
 * and kept.h. */

static int step(const vce_cell *cell, vce_memory m, void *scratch, const float *x, int min_level, float logit_bias)
{
    float *next = scratch;
    int level = pick_level(cell, m, x, min_level, logit_bias);
    update_one(cell, level, m.h, x, next, next + VCE_STREAMS * cell->padded);
    commit(cell, m, cell->boundaries[level - 1], next);
    return level;
}

/* The streams' numbers, those of level 1 first, into `order`; `ends` (L) is where each level ends. */
static void sort_by_level(const vce_cell *cell, int32_t streams, const int32_t *levels, int32_t *order, int32_t *ends)
{
    memset(ends, 0, sizeof(int32_t) * (size_t)cell->shape.levels);
    for (int32_t i = 0; i < streams; i++)
        ends[levels[i] - 1]++;
    for (int32_t level = 1; level < cell->shape.levels; level++)
        ends[level] += ends[level - 1];
    for (int32_t i = streams; i-- > 0;)
        order[--ends[levels[i] - 1]] = i;
}

static void step_many(const vce_cell *cell, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                      float *y, int32_t *levels, int min_level, float logit_bias)
{
    float *next = scratch;
    void *spare = next + VCE_STREAMS * cell->padded;
    int32_t *order = (int32_t *)(void *)((char *)spare + VCE_STREAMS * vce_spare_size(cell)), *ends = order + streams;
    size_t signals = (size_t)cell->shape.signals, outputs = (size_t)cell->shape.outputs;
    char *base = states;

    for (int32_t i = 0; i < streams; i++)
        levels[i] = pick_level(cell, vce_memory_of(cell, base + (size_t)i * stride), x + (size_t)i * signals, min_level,
                               logit_bias);
    sort_by_level(cell, streams, levels, order, ends);
    for (int32_t i = 0; i < streams;) {
        int32_t level = levels[order[i]], group = 1;
        while (group < STREAMS && i + group < streams && levels[order[i + group]] == level)
            group++;
        int k = cell->boundaries[level - 1];
        vce_memory memory[STREAMS];
        const float *hs[STREAMS], *xs[STREAMS];
        float *nexts[STREAMS];
        for (int s = 0; s < group; s++) {
            memory[s] = vce_memory_of(cell, base + (size_t)order[i + s] * stride);
            hs[s] = memory[s].h;
            xs[s] = x + (size_t)order[i + s] * signals;
            nexts[s] = next + s * cell->padded;
        }
        if (group == STREAMS)
            update_group(cell, level, hs, xs, nexts, spare);
        else
            for (int s = 0; s < group; s++)
                update_one(cell, level, hs[s], xs[s], nexts[s], spare);
        for (int s = 0; s < group; s++) {
            commit(cell, memory[s], k, nexts[s]);
            if (y)
                memcpy(y + (size_t)order[i + s] * outputs, memory[s].y, sizeof(float) * outputs);
        }
        i += group;
    }
}
