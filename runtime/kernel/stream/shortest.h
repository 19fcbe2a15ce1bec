/* Writes the shortest decimal number that reads back as a float64, and the closest of these: Python's repr.
 *
 * With 17 digits the number is an integer V of [10^16, 10^17), up to a fraction; all decimal numbers that read back as
 * x lie within half the distance to x's neighbours of V. The result is the integer in that interval with the most zeros
 * at its end. 5^s times the 53 bits of x is exact in 128 bits for 1e-14 <= x < 1e16.
 */
#ifndef VCE_SHORTEST_H
#define VCE_SHORTEST_H

#include <stdint.h>
#include <string.h>

#define VCE_NUMBER_TEXT 32 /* more than the characters of any number */

#ifdef __SIZEOF_INT128__
typedef unsigned __int128 vce_wide;

static inline vce_wide power_of_five(int n)
{
    vce_wide power = 1, square = 5;
    for (; n; n >>= 1, square *= square)
        power = n & 1 ? power * square : power;
    return power;
}

/* Return the integer with the most trailing zeros that reads back as x = c 2^q, the closest to V = x 10^scale of
 * several; 0 if V is not in [10^16, 10^17). */
static uint64_t shortest_digits(uint64_t c, int q, int scale)
{
    vce_wide five = power_of_five(scale), exact = 4 * (vce_wide)c * five;
    int shift = 2 - q - scale, odd = (int)(c & 1);
    vce_wide fraction = ((vce_wide)1 << shift) - 1, above = exact + 2 * five;
    vce_wide below = exact - (c == UINT64_C(1) << 52 ? 1 : 2) * five;
    uint64_t number = (uint64_t)(exact >> shift);
    if (number < UINT64_C(10000000000000000) || number >= UINT64_C(100000000000000000))
        return 0;
    uint64_t lowest = (uint64_t)((below + fraction) >> shift) + (uint64_t)(odd && !(below & fraction));
    uint64_t highest = (uint64_t)(above >> shift) - (uint64_t)(odd && !(above & fraction)), unit = 1;
    while (highest - highest % (10 * unit) >= lowest)
        unit *= 10;
    uint64_t down = number - number % unit, up = down + unit;
    if (down < lowest)
        return up;
    vce_wide to_down = exact - ((vce_wide)down << shift), to_up = ((vce_wide)up << shift) - exact;
    int upwards = to_up < to_down || (to_up == to_down && (down / unit & 1));
    return upwards && up <= highest ? up : down;
}

/* Write the significant digits of x and the exponent e of 0.d1d2d3... 10^e; return their number, 0 if out of range. */
static inline int decimal(double x, char *digits, int *exponent)
{
    uint64_t bits, number = 0;
    memcpy(&bits, &x, sizeof bits);
    if (!(x >= 1e-14 && x < 1e16))
        return 0;
    uint64_t c = (bits & 0xfffffffffffffu) | UINT64_C(1) << 52;
    int q = (int)(bits >> 52) - 1075,
        power = (int)(0.30102999566398 * (q + 52) + 100) - 100; /* of 10 in x, or one less */
    for (int i = 0; i < 2 && !number; i++, power++)
        number = shortest_digits(c, q, 16 - power);
    int length = number >= UINT64_C(100000000000000000) ? 18 : 17;
    *exponent = power + length - 17;
    while (number % 10 == 0 && number)
        number /= 10, length--;
    for (int i = length; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    return length;
}
#else
static inline int decimal(double x, char *digits, int *exponent)
{
    (void)x, (void)digits, (void)exponent;
    return 0;
}
#endif

/* Write repr(x) into VCE_NUMBER_TEXT characters; return its length, 0 if x is neither 0 nor in [1e-14, 1e16). */
static inline int number_text(double x, char *to)
{
    char digits[20], *at = to;
    int exponent, length = decimal(x, digits, &exponent);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (length == 0)
        return bits == 0 ? (memcpy(to, "0.0", 3), 3) : 0;
    if (exponent <= -4) {
        *at++ = digits[0];
        if (length > 1)
            *at++ = '.';
        memcpy(at, digits + 1, (size_t)length - 1);
        at += length - 1;
        memcpy(at, "e-", 2);
        at[2] = (char)('0' + (1 - exponent) / 10);
        at[3] = (char)('0' + (1 - exponent) % 10);
        return (int)(at - to) + 4;
    }
    if (exponent <= 0) {
        memcpy(to, "0.0000", 6);
        memcpy(to + 2 - exponent, digits, (size_t)length);
        return 2 - exponent + length;
    }
    int before = length < exponent ? length : exponent;
    memcpy(to, digits, (size_t)before);
    memset(to + before, '0', (size_t)(exponent - before));
    at = to + exponent;
    *at++ = '.';
    if (length <= exponent)
        *at++ = '0';
    else {
        memcpy(at, digits + exponent, (size_t)(length - exponent));
        at += length - exponent;
    }
    return (int)(at - to);
}

#endif
