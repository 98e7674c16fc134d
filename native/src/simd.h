/* Elementary functions of four doubles or eight floats at a time. The lanes are written out, so every machine computes the same bits.

   Arguments are reduced to a small interval (Cody and Waite 1980), where a polynomial of nearly least largest error replaces the function;
   coefficients: Chebyshev's, computed with 50 digits. Errors in units in the last place: exp4, log4 and sincos_turns4 under 2,
   exp8, log8 and sincos_turns8 under 3 (tests/native/test_maths.py). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include <stdint.h>
#include <string.h>

typedef double D4 __attribute__((vector_size(32)));
typedef int64_t L4 __attribute__((vector_size(32)));
typedef uint64_t UL4 __attribute__((vector_size(32)));
typedef float F8 __attribute__((vector_size(32)));
typedef int32_t I8 __attribute__((vector_size(32)));
typedef uint32_t U8 __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline, unused))

INLINE F8 load8(const float *at) {
  F8 x;
  memcpy(&x, at, sizeof x);
  return x;
}
INLINE void store8(float *at, F8 x) { memcpy(at, &x, sizeof x); }
INLINE D4 load4(const double *at) {
  D4 x;
  memcpy(&x, at, sizeof x);
  return x;
}
INLINE void store4(double *at, D4 x) { memcpy(at, &x, sizeof x); }
INLINE F8 all8(float x) { return (F8){x, x, x, x, x, x, x, x}; }
INLINE D4 all4(double x) { return (D4){x, x, x, x}; }
INLINE F8 select8(I8 mask, F8 yes, F8 no) { return (F8)((mask & (I8)yes) | (~mask & (I8)no)); }
INLINE D4 select4(L4 mask, D4 yes, D4 no) { return (D4)((mask & (L4)yes) | (~mask & (L4)no)); }
INLINE F8 abs8(F8 x) { return (F8)((I8)x & 0x7FFFFFFF); }
INLINE D4 abs4(D4 x) { return (D4)((L4)x & INT64_MAX); }
INLINE F8 max8(F8 a, F8 b) { return select8(a > b, a, b); }
INLINE F8 min8(F8 a, F8 b) { return select8(a < b, a, b); }
INLINE float sum8(F8 x) { return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7])); }
INLINE double sum4(D4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }
INLINE D4 sqrt4(D4 x) {
  return (D4){__builtin_sqrt(x[0]), __builtin_sqrt(x[1]), __builtin_sqrt(x[2]), __builtin_sqrt(x[3])};
}
INLINE F8 sqrt8(F8 x) {
  return (F8){__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]), __builtin_sqrtf(x[3]),
              __builtin_sqrtf(x[4]), __builtin_sqrtf(x[5]), __builtin_sqrtf(x[6]), __builtin_sqrtf(x[7])};
}

#define ROUND4 0x1.8p52 /* x + ROUND4 - ROUND4 is the whole number nearest to x, for |x| under 2^51; it is also in the lowest bits */
#define ROUND8 0x1.8p23f /* the same in float, for |x| under 2^22 */

/* 2^k e^r for |r| <= 0.35 and moved = k + ROUND4; results from 2^-1022. */
INLINE D4 exp_parts4(D4 moved, D4 r) {
  D4 p = all4(0x1.af4e554377204p-26) + r * 0x1.1f7340dbc337ep-29;
  p = 0x1.27e4db46cddd1p-22 + r * p;
  p = 0x1.71de01fdbf9cap-19 + r * p;
  p = 0x1.a01a01a6e1e2ap-16 + r * p;
  p = 0x1.a01a01abf85abp-13 + r * p;
  p = 0x1.6c16c16c162c3p-10 + r * p;
  p = 0x1.11111111100bep-7 + r * p;
  p = 0x1.5555555555556p-5 + r * p;
  p = 0x1.5555555555557p-3 + r * p;
  p = 0.5 + r * p;
  return (D4)((UL4)(1.0 + (r + r * r * p)) + ((UL4)moved << 52));
}

/* e^x; 0 for results under 2^-1022. */
INLINE D4 exp4(D4 x) {
  D4 moved = x * 0x1.71547652b82fep+0 + ROUND4, k = moved - ROUND4;
  D4 y = exp_parts4(moved, (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33);
  y = select4(x < -708.396, all4(0), y);
  y = select4(x > 709.782712893384, all4(__builtin_inf()), y);
  return select4(x != x, x, y);
}

/* The logarithm of x over 0 in two parts: ln x = k ln 2 + result, result within ln 2 / 2 of 0; x is finite. */
INLINE D4 log_parts4(D4 x, D4 *k) {
  L4 small = x < 0x1p-1022;
  x = select4(small, x * 0x1p54, x);
  L4 bits = (L4)x, exponent = (bits - 0x3FE6A09E667F3BCD) >> 52;
  D4 f = (D4)(bits - (L4)((UL4)exponent << 52)) - 1.0, s = f / (2.0 + f), z = s * s;
  *k = __builtin_convertvector(exponent, D4) - select4(small, all4(54), all4(0));
  D4 p = all4(0x1.0fbde0f4ad17bp-3) + z * 0x1.0c0aff044a970p-3;
  p = 0x1.3b1c3c1c81c8fp-3 + z * p;
  p = 0x1.745cf8e4bba1bp-3 + z * p;
  p = 0x1.c71c7201a55d7p-3 + z * p;
  p = 0x1.2492492476a1ap-2 + z * p;
  p = 0x1.9999999999a39p-2 + z * p;
  p = 0x1.5555555555555p-1 + z * p;
  return f - s * (f - z * p); /* 2 artanh(s) = 2 s + s z p, and 2 s = f - s f */
}

INLINE D4 log_ends4(D4 x, D4 y) {
  y = select4(x == 0, all4(-__builtin_inf()), y);
  y = select4(x < 0, all4(__builtin_nan("")), y);
  return select4((x != x) | (x == __builtin_inf()), x, y);
}

INLINE D4 log4(D4 x) {
  D4 k, y = log_parts4(x, &k);
  return log_ends4(x, k * 0x1.62e42feep-1 + (y + k * 0x1.a39ef35793c76p-33));
}

/* Sine and cosine of 2 pi x. Numbers from 2^49 count as whole turns. */
INLINE void sincos_turns4(D4 x, D4 *sine, D4 *cosine) {
  x = select4(abs4(x) < 0x1p49, x, x - x);
  D4 moved = x * 4.0 + ROUND4, f = x * 4.0 - (moved - ROUND4), z = f * f;
  D4 s = all4(0x1.e8f034b297b67p-25) + z * -0x1.6cc4ba0e17542p-31;
  D4 c = all4(0x1.f9ce219ad3f34p-22) + z * -0x1.b2f2ea7ce5a38p-28;
  s = -0x1.e3074d23fe4ddp-19 + z * s, c = -0x1.a6d1eef1a7730p-16 + z * c;
  s = 0x1.50783486f9d12p-13 + z * s, c = 0x1.e1f5068686332p-11 + z * c;
  s = -0x1.32d2cce62b86cp-8 + z * s, c = -0x1.55d3c7e3cb22fp-6 + z * c;
  s = 0x1.466bc6775aae1p-4 + z * s, c = 0x1.03c1f081b5ac0p-2 + z * c;
  s = -0x1.4abbce625be53p-1 + z * s, c = -0x1.3bd3cc9be45dep+0 + z * c;
  s = f * 0x1.921fb54442d18p+0 + f * (z * s + 0x1.1a62633145c07p-54), c = 1.0 + z * c;
  UL4 quarter = (UL4)moved, odd = -(quarter & 1);
  D4 a = select4((L4)odd, c, s), b = select4((L4)odd, s, c);
  *sine = (D4)((UL4)a ^ ((quarter & 2) << 62));
  *cosine = (D4)((UL4)b ^ (((quarter + 1) & 2) << 62));
}

/* e^x; 0 for results under 2^-126. */
INLINE F8 exp8(F8 x) {
  F8 moved = x * 0x1.715476p+0f + ROUND8, k = moved - ROUND8, r = (x - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f;
  F8 p = all8(0x1.120be2p-7f) + r * 0x1.6d117cp-10f;
  p = 0x1.555518p-5f + r * p;
  p = 0x1.5554dcp-3f + r * p;
  p = 0.5f + r * p;
  F8 y = (F8)((U8)(1.0f + (r + r * r * p)) + ((U8)moved << 23));
  y = select8(x < -87.3365f, all8(0), y);
  y = select8(x > 88.72283f, all8(__builtin_inff()), y);
  return select8(x != x, x, y);
}

/* ln(2^k (1 + f)), 1 + f from sqrt(1 / 2) to sqrt(2). */
INLINE F8 log_sum8(F8 k, F8 f) {
  F8 s = f / (2.0f + f), z = s * s, p = all8(0x1.245c28p-2f) + z * 0x1.ddd4dap-3f;
  p = 0x1.9999ecp-2f + z * p;
  p = 0x1.555556p-1f + z * p;
  return k * 0x1.62e4p-1f + ((f - s * (f - z * p)) + k * 0x1.7f7d1cp-20f);
}

/* Natural logarithm. */
INLINE F8 log8(F8 x) {
  I8 small = x < 0x1p-126f;
  F8 scaled = select8(small, x * 0x1p24f, x);
  I8 bits = (I8)scaled, exponent = (bits - 0x3F3504F3) >> 23;
  F8 k = __builtin_convertvector(exponent, F8) - select8(small, all8(24), all8(0));
  F8 y = log_sum8(k, (F8)(bits - (I8)((U8)exponent << 23)) - 1.0f);
  y = select8(x == 0, all8(-__builtin_inff()), y);
  y = select8(x < 0, all8(__builtin_nanf("")), y);
  return select8((x != x) | (x == __builtin_inff()), x, y);
}

/* Sine and cosine of (quarter + f) / 4 turns in float, |f| <= 1 / 2. */
INLINE void sincos_quarters8(F8 f, U8 quarter, F8 *sine, F8 *cosine) {
  F8 z = f * f;
  F8 s = all8(-0x1.32ce1cp-8f) + z * 0x1.4cb66ep-13f, c = all8(-0x1.55cb94p-6f) + z * 0x1.db62e6p-11f;
  s = 0x1.466bc2p-4f + z * s, c = 0x1.03c1eap-2f + z * c;
  s = -0x1.4abbcep-1f + z * s, c = -0x1.3bd3ccp+0f + z * c;
  s = f * 0x1.921fb6p+0f + f * (z * s - 0x1.777a5cp-25f), c = 1.0f + z * c;
  U8 odd = -(quarter & 1);
  F8 a = select8((I8)odd, c, s), b = select8((I8)odd, s, c);
  *sine = (F8)((U8)a ^ ((quarter & 2) << 30));
  *cosine = (F8)((U8)b ^ (((quarter + 1) & 2) << 30));
}

/* Sine and cosine of 2 pi x in float. Numbers from 2^20 count as whole turns. */
INLINE void sincos_turns8(F8 x, F8 *sine, F8 *cosine) {
  x = select8(abs8(x) < 0x1p20f, x, x - x);
  F8 moved = x * 4.0f + ROUND8;
  sincos_quarters8(x * 4.0f - (moved - ROUND8), (U8)moved, sine, cosine);
}
#endif
