/* Defects of sensors, found ahead of the model, as runtime/sensor_health.py finds them. */
#include <math.h>

#include "judge.h"

typedef struct work {
    void *detector; /* its scratch */
    char *saved;    /* the record before the row */
    double *values, *contributions, *room; /* (C), (C), (VCE_STATISTICS, C) */
    uint8_t *beyond, *leap;                /* (C) */
} work;

/* What the sensors did wrong in a row. */
typedef struct health {
    int absent, beyond, leaps, stuck; /* how many channels are missing, whatever the reason */
    int defect[VCE_DEFECTS];          /* whether there is one of the kind */
} health;

/* Whether a value changed faster than its channel can, and the row before did not say the same. */
static int leaps(const vce_judge *j, double value, int c, int64_t time_ns)
{
    double rate = j->rates[c], since_s = (double)(time_ns - j->times[c]) / 1e9;
    if (!(fabs(value - j->believed[c]) > rate * (j->rules->period_s > since_s ? j->rules->period_s : since_s)))
        return 0;
    return !(fabs(value - j->refused[c]) <= rate * j->rules->period_s);
}

/* What the model may see of a row, NaN where there is nothing, and why. */
static health check(const vce_judge *j, work w, int64_t time_ns, const double *from, uint8_t *missing)
{
    health found = {0};
    for (int c = 0; c < j->detector->shape.channels; c++) {
        w.beyond[c] = (from[c] < j->low[c]) | (from[c] > j->high[c]);
        missing[c] = (uint8_t)(w.beyond[c] | !isfinite(from[c]));
        w.leap[c] = (uint8_t)(j->rules->leaps && !missing[c] && leaps(j, from[c], c, time_ns));
        missing[c] |= w.leap[c];
        w.values[c] = missing[c] ? (double)NAN : from[c];
        found.absent += missing[c], found.beyond |= w.beyond[c], found.leaps |= w.leap[c];
    }
    return found;
}

/* The defects of a row that the model sees. */
static void find_defects(const vce_judge *j, work w, const uint8_t *missing, health *found)
{
    int dropout = 0;
    for (int c = 0; c < j->detector->shape.channels; c++) {
        int64_t run = missing[c] ? j->run[c] : w.values[c] == j->last[c] ? j->run[c] + 1 : 0;
        found->stuck |= j->stuck_rows[c] > 0 && run >= j->stuck_rows[c];
        dropout |= missing[c] && !w.beyond[c] && j->absent[c] + 1 >= j->rules->dropout_rows;
    }
    found->defect[VCE_DEFECT_STUCK] = found->stuck;
    found->defect[VCE_DEFECT_LIMIT] = found->beyond;
    found->defect[VCE_DEFECT_RATE] = found->leaps;
    found->defect[VCE_DEFECT_DROPOUT] = dropout;
}

/* Whether an event of a defect begins or ends. */
static int defects_publish(const vce_judge *j, const health *found)
{
    for (int kind = 0; kind < VCE_DEFECTS; kind++) {
        const int64_t *event = j->defects + 2 * kind;
        if (found->defect[kind] ? !event[0] : event[0] && event[1] >= j->holds[kind])
            return 1;
    }
    return 0;
}

static void remember_leaps(const vce_judge *j, work w, int64_t time_ns, const double *from)
{
    for (int c = 0; c < j->detector->shape.channels; c++)
        if (w.leap[c])
            j->refused[c] = from[c];
        else if (isfinite(from[c]) && !w.beyond[c])
            j->refused[c] = (double)NAN, j->believed[c] = from[c], j->times[c] = time_ns;
}

static void remember_defects(const vce_judge *j, work w, const uint8_t *missing, const health *found)
{
    for (int c = 0; c < j->detector->shape.channels; c++) {
        j->absent[c] = missing[c] && !w.beyond[c] ? j->absent[c] + 1 : 0;
        if (!missing[c]) {
            j->run[c] = w.values[c] == j->last[c] ? j->run[c] + 1 : 0;
            j->last[c] = w.values[c];
        }
    }
    for (int kind = 0; kind < VCE_DEFECTS; kind++)
        if (j->defects[2 * kind])
            j->defects[2 * kind + 1] = found->defect[kind] ? 0 : j->defects[2 * kind + 1] + 1;
}
