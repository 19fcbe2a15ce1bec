/* e^x and ln x in float64 without libm, with the same bits on every CPU and an error of a few units in the last place.
 */
#ifndef VCE_EXACT_MATH_H
#define VCE_EXACT_MATH_H

#include <stdint.h>
#include <string.h>

/* Return e^x: 2^n times a series for |r| <= ln(2)/2; clamped beyond +-700. */
static inline double exact_exp(double x)
{
    if (x != x)
        return x;
    x = x > 700 ? 700 : x < -700 ? -700 : x;
    double shifted = x * 1.4426950408889634 + 6755399441055744.0; /* 1.5 * 2^52 rounds to an integer */
    double rounded = shifted - 6755399441055744.0;
    double r = (x - rounded * 0.693147180369123816490) - rounded * 1.90821492927058770002e-10;
    double sum = 1.0;
    for (int i = 13; i > 0; i--)
        sum = 1.0 + r / i * sum;
    uint64_t bits = (uint64_t)((int64_t)rounded + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* Return ln x of a normal x > 0: x = 2^n m with m near 1, and ln m = 2 atanh((m - 1) / (m + 1)). */
static inline double exact_log(double x)
{
    if (x != x)
        return x;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t n = (int64_t)((bits - 0x3fe6a09e667f3bcdu) >> 52); /* of x over the root of 1/2 */
    n = n > 2047 ? n - 4096 : n;
    bits -= (uint64_t)n << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, sum = 0.0;
    static const double terms[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                                   1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
    for (int i = 10; i >= 0; i--)
        sum = sum * s2 + terms[i];
    double from_n = (double)n;
    return from_n * 0.693147180369123816490 + (2.0 * s * (1.0 + s2 * sum) + from_n * 1.90821492927058770002e-10);
}

#endif
