/* exp, expm1, log, log1p and tanh that a C compiler turns into vector code by itself.
 *
 * A function of the C library ends a loop's vectorisation: it is a call, with branches and tables
 * behind it. These have neither. Each is one straight line of additions, multiplications, selects
 * and 64-bit integer shifts, so that
 *
 *     for (i = 0; i < n; i++)
 *         z[i] = ae_vexp(x[i]);
 *
 * becomes vectors of two, four or eight lanes (gcc -O3 -fno-math-errno -fno-trapping-math).
 *
 * Promise: at most 2 ulp from the true value for every double, subnormal ones too (exp, log and
 * log1p stay below 1, expm1 and tanh below 1.75); inf, nan and signed zeros as in C's Annex F;
 * tanh is odd to the bit and never above 1. Rounding must be to nearest; errno, the exception flags
 * and the bits of a nan mean nothing afterwards.
 *
 * One source, the same bits on every machine: there is no fma here, and the compiler must make
 * none (-ffp-contract=off); every double must be rounded to a double (FLT_EVAL_METHOD 0, so not
 * the x87 unit). Never compile this with -ffast-math: it would cancel the sums that round.
 *
 * Methods. Range reduction after Cody and Waite ("Software Manual for the Elementary Functions",
 * 1980): ln 2 in two parts, of which the first ends in 11 zero bits, so that its product with an
 * exponent is exact. What the reduction leaves over goes into minimax polynomials, computed by
 * Remez exchange in 60 digits; weights and ranges stand beside the coefficients. Large parts
 * and small parts are added by Dekker's Fast2Sum (1971), which keeps what the rounding drops.
 *
 * What stands for z where the formula ends (inf, 0, -1, nan) is made of the bits of x, not written
 * as a constant. A constant would be folded through whatever is computed of z: GCC then takes a
 * loop over log1p(exp(x)) apart into paths, and computes each of them for each lane.
 *
 * With AE_VECTOR_MATH defined, the names of the C library stand for these functions in what is
 * included afterwards: `_kernels.h` then is a set of vector kernels.
 */
#ifndef AE_VECTOR_H
#define AE_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

/* GCC must inline before it clones the caller (target_clones): it does not inline afterwards, when
 * the clone is for another processor. target("avx2") takes them either way, target("arch=...") not:
 * there this is an error instead of a slow call. */
#ifdef __GNUC__
#define AE_LANE static inline __attribute__((always_inline))
#else
#define AE_LANE static inline
#endif

/* Added to a number below 2^51 this rounds it to an integer, in the low bits of the sum: there is
 * no instruction from double to int64 before AVX-512. */
#define AE_ROUNDER 0x1.8p52

#define AE_LOG2_E 0x1.71547652b82fep+0
#define AE_LN_2_HEAD 0x1.62e42fefa3800p-1 /* 42 bits: times an exponent, of 11 bits, it is exact */
#define AE_LN_2_TAIL 0x1.ef35793c76730p-45

#define AE_EXPONENT_OF_1 UINT64_C(0x3ff0000000000000)
#define AE_INFINITY UINT64_C(0x7ff0000000000000)
#define AE_NAN UINT64_C(0x7ff8000000000000)
#define AE_MANTISSA UINT64_C(0x000fffffffffffff)
#define AE_SIGN UINT64_C(0x8000000000000000)
#define AE_ROOT_OF_HALF UINT64_C(0x3fe6a09e667f3bcd) /* the bits of sqrt(1/2) */

AE_LANE uint64_t ae_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

AE_LANE double ae_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(r) - 1 - r for |r| <= ln(2)/2: r^2 times a polynomial of degree 9, minimax in the error
 * relative to r, 2e-17. Summed by Estrin's scheme: one product more than Horner's, but few wait
 * for another, and a row such as softplus is a long chain of them. */
AE_LANE double ae_vexp_rest(double r)
{
    const double r2 = r * r;
    const double r4 = r2 * r2;
    const double p0 = 0x1.0000000000004p-1 + 0x1.555555555555cp-3 * r;
    const double p1 = 0x1.55555555525b5p-5 + 0x1.111111110e91bp-7 * r;
    const double p2 = 0x1.6c16c17e3e8b4p-10 + 0x1.a01a01b524bcap-13 * r;
    const double p3 = 0x1.a019a8feb69bbp-16 + 0x1.71ddeb746b2d9p-19 * r;
    const double p4 = 0x1.28a0850ca4de7p-22 + 0x1.af74946c1843fp-26 * r;
    return r2 * (p0 + p1 * r2 + r4 * (p2 + p3 * r2 + p4 * r4));
}

/* e^x = 2^k e^r with x = k ln 2 + r. */
AE_LANE double ae_vexp(double x)
{
    const double t = x * AE_LOG2_E + (AE_ROUNDER + 2046.0);
    const double k = t - (AE_ROUNDER + 2046.0);
    const double head = x - k * AE_LN_2_HEAD; /* exact */
    const double tail = k * AE_LN_2_TAIL;
    const double e = 1.0 + (head + (ae_vexp_rest(head - tail) - tail));
    /* 2^k as a product of two powers: k reaches from -1076 to 1024, farther than one exponent.
     * The 2046 is the bias of both exponents together; only the second product can round. */
    const uint64_t both = ae_bits(t);
    const uint64_t half = both >> 1;
    const double z = e * ae_double(half << 52) * ae_double((both - half) << 52);
    /* Up to 1000 z overflows and underflows by itself; farther out the 12 bits that are read of k
     * do not hold it. A nan is not beyond, and passes. */
    const double beyond = ae_double(((ae_bits(x) >> 63) - 1) & AE_INFINITY); /* inf or 0 */
    return fabs(x) > 1000.0 ? beyond : z;
}

/* e^x - 1 = 2^k ((1 - 2^-k) + (e^r - 1)), computed at half its size: 2^1024 is not a double. */
AE_LANE double ae_vexpm1(double x)
{
    const double t = x * AE_LOG2_E + (AE_ROUNDER + 1022.0);
    const double k = t - (AE_ROUNDER + 1022.0);
    const double head = x - k * AE_LN_2_HEAD;
    const double tail = k * AE_LN_2_TAIL;
    const double rest = ae_vexp_rest(head - tail) - tail;
    const double scale = ae_double(ae_bits(t) << 52); /* 2^(k-1) */
    const double large = scale - 0.5;
    const double small = scale * head;
    const double sum = large + small;
    const double dropped = small - (sum - large);
    const double z = 2.0 * (sum + (dropped + scale * rest));
    const double beyond = ae_double(AE_INFINITY + ((ae_bits(x) & AE_SIGN) >> 1)); /* inf or -1 */
    const double bounded = fabs(x - 300.0) > 410.0 ? beyond : z; /* -110 to 710: as for exp */
    /* The halving would round a subnormal, and the sum lose the sign of a zero. */
    return fabs(x) < 0x1p-54 ? x : bounded;
}

/* k ln 2 + ln(1 + f + g) for |f| < 0.42, where g is so small that only its first power counts.
 *
 * ln(1 + f) = 2 artanh(s) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f), where s R is the series
 * of 2 artanh(s) without its first term: a polynomial in s^2, minimax in the error relative to
 * s^2, 3e-18. So f itself enters exactly, and the quotient, which is rounded, only with a factor
 * below f^2. */
AE_LANE double ae_vlog_sum(double k, double f, double g)
{
    const double whole = f + g;
    const double s = whole / (2.0 + whole);
    const double s2 = s * s;
    const double s4 = s2 * s2;
    const double odd =
        0x1.555555555557ep-1
        + s4 * (0x1.2492493dd3e50p-2
        + s4 * (0x1.7465b22a8f745p-3
        + s4 * 0x1.2e8ad4f056070p-3));
    const double even =
        0x1.99999999854ecp-2
        + s4 * (0x1.c71c54feba7bfp-3
        + s4 * 0x1.39aec99d6e661p-3);
    const double series = s2 * (odd + s2 * even);
    const double square = 0.5 * whole * whole;
    const double large = k * AE_LN_2_HEAD;
    const double sum = large + f;
    const double dropped = f - (sum - large);
    return sum + (dropped + (g - (square - (s * (square + series) + k * AE_LN_2_TAIL))));
}

/* ln(2^k m) = k ln 2 + ln(1 + f), f = m - 1, with m between sqrt(1/2) and sqrt(2): so f is exact,
 * and k is 0 around 1, where the logarithm is small. */
AE_LANE double ae_vlog(double x)
{
    const double a = x < 0x1p-1022 ? x * 0x1p54 : x; /* a subnormal number has no exponent */
    const double bias = x < 0x1p-1022 ? 0x1p52 + 1023.0 + 54.0 : 0x1p52 + 1023.0;
    const uint64_t shifted = ae_bits(a) + (AE_EXPONENT_OF_1 - AE_ROOT_OF_HALF);
    /* The exponent as the last bits of 2^52 + k + 1023. */
    const double k = ae_double((shifted >> 52) | ae_bits(0x1p52)) - bias;
    const double f = ae_double((shifted & AE_MANTISSA) + AE_ROOT_OF_HALF) - 1.0;
    const double z = ae_vlog_sum(k, f, 0.0);
    /* -inf from either zero, nan from a negative number: all that these bits lack is set. */
    const double outside = ae_double(ae_bits(x) | (x == 0.0 ? AE_SIGN | AE_INFINITY : AE_NAN));
    const double valid = x > 0.0 ? z : outside;
    return x < INFINITY ? valid : x;
}

/* ln(u + c) where u = 1 + x rounded and c what the rounding dropped (Knuth's TwoSum: either of 1
 * and x may be the larger one). */
AE_LANE double ae_vlog1p(double x)
{
    const double u = 1.0 + x;
    const double most = u - 1.0;
    const double c = (1.0 - (u - most)) + (x - most);
    const uint64_t shifted = ae_bits(u) + (AE_EXPONENT_OF_1 - AE_ROOT_OF_HALF);
    const double k = ae_double((shifted >> 52) | ae_bits(0x1p52)) - (0x1p52 + 1023.0);
    const double f = ae_double((shifted & AE_MANTISSA) + AE_ROOT_OF_HALF) - 1.0;
    /* 2^(2-k): the 2 keeps the exponent positive up to k = 1024. */
    const double scale = ae_double(AE_SIGN - (shifted & ~AE_MANTISSA));
    const double z = ae_vlog_sum(k, f, 0.25 * c * scale);
    const double outside = ae_double(ae_bits(x) | (x == -1.0 ? AE_INFINITY : AE_NAN));
    const double valid = x > -1.0 ? z : outside;
    const double finite = x < INFINITY ? valid : x;
    return fabs(x) < 0x1p-54 ? x : finite; /* subnormal numbers, and the sign of a zero */
}

/* tanh(|x|) with |x| = k ln(2)/2 + b and w = 2^-k = e^(2b - 2|x|), by the addition theorem
 * without its inner fraction: ((1 - w) + (1 + w) tanh b) / ((1 + w) + (1 - w) tanh b).
 *
 * tanh b = b + d for |b| <= ln(2)/4: d is b^3 times a polynomial of degree 5 in b^2, minimax in
 * the error relative to tanh b, 5e-18. For k = 0, near 0, the fraction is (b + (b + 2 d)) / 2:
 * small and subnormal numbers lose nothing. */
AE_LANE double ae_vtanh(double x)
{
    const double size = fabs(x);
    const double t = (AE_ROUNDER + 1023.0) - size * (2.0 * AE_LOG2_E);
    const double k = (AE_ROUNDER + 1023.0) - t;
    const double head = size - k * (0.5 * AE_LN_2_HEAD);
    const double tail = k * (0.5 * AE_LN_2_TAIL);
    const double b = head - tail;
    const double b2 = b * b;
    const double b4 = b2 * b2;
    const double even =
        -0x1.55555555554e3p-2
        + b4 * (-0x1.ba1ba126f9e44p-5
        + b4 * -0x1.223e30f54f05cp-7);
    const double odd =
        0x1.11111110e833dp-3
        + b4 * (0x1.664ed1a3582cep-6
        + b4 * 0x1.c3cea980dd4eep-9);
    const double d = b2 * b * (even + b2 * odd) - tail;
    const double w = ae_double(ae_bits(t) << 52);
    const double more = 1.0 + w;
    const double less = 1.0 - w;
    const double product = less * (head + d);
    const double below = more + product;
    const double dropped_below = (product - (below - 1.0)) + w; /* by more, too: w may be 2^-53 */
    const double sum = less + head;
    const double dropped_above = head - (sum - less);
    /* What the denominator's roundings dropped, times the quotient, belongs into the numerator;
     * 0.75 sum is near enough to the quotient. Without it the error would reach 2.5 ulp, and the
     * numerator might be rounded to more than the denominator. */
    const double small = dropped_above + (w * head + more * d) - 0.75 * sum * dropped_below;
    const double q = (sum + small) / below;
    const uint64_t sign = ae_bits(x) & AE_SIGN;
    /* 1 from 19.1 upwards; w is no power from 355. */
    return size > 20.0 ? ae_double(sign | AE_EXPONENT_OF_1) : ae_double(sign | ae_bits(q));
}

#endif

#ifdef AE_VECTOR_MATH
#define exp ae_vexp
#define expm1 ae_vexpm1
#define log ae_vlog
#define log1p ae_vlog1p
#define tanh ae_vtanh
#endif
