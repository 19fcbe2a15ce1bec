#include "stream/lines.h"

#include "stream/shortest.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S INT64_C(86400)

#define WORD(constant, word) word,
static const char *const words[VCE_STATUSES] = {VCE_STATUS_LIST(WORD)};
#undef WORD

static char *write_text(char *to, const char *from, size_t length)
{
    memcpy(to, from, length);
    return to + length;
}

/* Write an integer with at least `width` digits. */
static char *write_integer(char *to, uint64_t number, int width)
{
    char digits[20];
    int length = 0;
    for (; number || length < width; number /= 10)
        digits[length++] = (char)('0' + number % 10);
    while (length > 0)
        *to++ = digits[--length];
    return to;
}

/* Write the date of a day since 1970-01-01. Years begin in March here, so that the leap day is the last one. */
static char *write_date(char *to, int64_t day)
{
    int64_t from_0 = day + 719468, era = (from_0 < 0 ? from_0 - 146096 : from_0) / 146097;
    int64_t of_era = from_0 - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    to = write_integer(to, (uint64_t)(year + era * 400 + (month <= 2)), 4);
    *to++ = '-';
    to = write_integer(to, (uint64_t)month, 2);
    *to++ = '-';
    return write_integer(to, (uint64_t)of_month, 2);
}

/* Write a time as ISO 8601 in UTC with 3, 6 or 9 digits of a second; nothing if there is none. */
static char *write_time(char *to, int64_t time_ns)
{
    if (time_ns == INT64_MIN)
        return to;
    int64_t seconds = time_ns / NS_PER_S - (time_ns % NS_PER_S < 0), fraction = time_ns - seconds * NS_PER_S;
    int64_t day = seconds / DAY_S - (seconds % DAY_S < 0), of_day = seconds - day * DAY_S;
    to = write_date(to, day);
    *to++ = 'T';
    to = write_integer(to, (uint64_t)(of_day / 3600), 2);
    *to++ = ':';
    to = write_integer(to, (uint64_t)(of_day / 60 % 60), 2);
    *to++ = ':';
    to = write_integer(to, (uint64_t)(of_day % 60), 2);
    *to++ = '.';
    if (fraction % 1000000 == 0)
        to = write_integer(to, (uint64_t)(fraction / 1000000), 3);
    else if (fraction % 1000 == 0)
        to = write_integer(to, (uint64_t)(fraction / 1000), 6);
    else
        to = write_integer(to, (uint64_t)fraction, 9);
    *to++ = 'Z';
    return to;
}

/* Write channels and their shares, up to the first invalid channel. */
static char *write_top(char *to, const vce_lines *lines, const int32_t *top)
{
    for (int i = 0; i < VCE_TOP && top[i] >= 0 && top[i] / 128 < lines->channels; i++) {
        int32_t channel = top[i] / 128, share = top[i] % 128, begin = channel ? lines->ends[channel - 1] : 0;
        if (i)
            *to++ = ';';
        to = write_text(to, lines->names + begin, (size_t)(lines->ends[channel] - begin));
        *to++ = '=';
        *to++ = (char)('0' + share / 100);
        *to++ = '.';
        to = write_integer(to, (uint64_t)(share % 100), 2);
    }
    return to;
}

size_t vce_line_size(const vce_lines *lines)
{
    size_t longest = 0;
    for (int32_t c = 0; c < lines->channels; c++) {
        size_t length = (size_t)(lines->ends[c] - (c ? lines->ends[c - 1] : 0));
        longest = length > longest ? length : longest;
    }
    return 40 + 2 * VCE_NUMBER_TEXT + 48 + VCE_TOP * (longest + 6); /* time, numbers, integers and words, channels */
}

int64_t vce_score_lines(const vce_lines *lines, int64_t start, int64_t stop, char *to, size_t size, size_t *length)
{
    size_t most = vce_line_size(lines);
    char *at = to;
    for (; start < stop && size - (size_t)(at - to) >= most; start++) {
        char *line = at;
        if (lines->numbered >= 0)
            line = write_integer(line, (uint64_t)lines->numbered + (uint64_t)start, 1);
        else
            line = write_time(line, lines->time_ns[start]);
        *line++ = ',';
        int raw = number_text(lines->raw[start], line);
        line[raw] = ',';
        int score = raw ? number_text(lines->score[start], line + raw + 1) : 0;
        if (!score || lines->status[start] >= VCE_STATUSES || lines->updated[start] < 0)
            break;
        line = write_text(line + raw + 1 + score, lines->alarm[start] ? ",1," : ",0,", 3);
        line = write_integer(line, (uint64_t)lines->updated[start], 1);
        *line++ = ',';
        line = write_integer(line, (uint64_t)lines->hidden, 1);
        *line++ = ',';
        line = write_text(line, words[lines->status[start]], strlen(words[lines->status[start]]));
        *line++ = ',';
        line = write_top(line, lines, lines->top + start * VCE_TOP);
        *line++ = '\n';
        at = line;
    }
    *length = (size_t)(at - to);
    return start;
}
