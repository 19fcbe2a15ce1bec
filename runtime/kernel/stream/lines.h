/* Lines of scores.csv from judged rows, as runtime/recordings/score_recording.py writes them: the same characters. */
#ifndef VCEDGE_LINES_H
#define VCEDGE_LINES_H

#include "stream/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vce_lines {
    const int64_t *time_ns;
    const double *raw, *score;
    const int32_t *updated, *top;  /* (N), (N, VCE_TOP) as in VCE_COLUMN_LIST */
    const uint8_t *status, *alarm; /* (N) */
    const char *names;             /* of the channels, one after the other */
    const int32_t *ends;           /* (C) where each name ends */
    int32_t channels, hidden;
    int64_t numbered; /* number of the first row in the place of its time; -1: times */
} vce_lines;

/* Write rows [start, stop) as long as they fit into `size` characters; how many were written goes to `length`. Returns
 * the first row that is left: one with a number that is out of the range of stream/shortest.h, or that does not fit. */
int64_t vce_score_lines(const vce_lines *lines, int64_t start, int64_t stop, char *to, size_t size, size_t *length);

/* Most characters of one line. */
size_t vce_line_size(const vce_lines *lines);

#ifdef __cplusplus
}
#endif
#endif
