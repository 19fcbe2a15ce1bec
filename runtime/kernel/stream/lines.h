/* Writes lines of scores.csv, with the same characters as runtime/recordings/score_recording.py. */
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
    const char *names;             /* of the channels, concatenated */
    const int32_t *ends;           /* (C) where each name ends */
    int32_t channels, hidden;
    int64_t numbered; /* index of the first row if rows have no times; -1: they have */
} vce_lines;

/* Write rows [start, stop) while they fit into `size` characters, and the number of characters to `length`. Return the
 * first row that is left: one that does not fit, or has a number out of the range of stream/shortest.h. */
int64_t vce_score_lines(const vce_lines *lines, int64_t start, int64_t stop, char *to, size_t size, size_t *length);

/* Return an upper bound of the characters of a line. */
size_t vce_line_size(const vce_lines *lines);

#ifdef __cplusplus
}
#endif
#endif
