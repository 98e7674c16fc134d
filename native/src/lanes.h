/* Eight doubles at a time, for phases that become floats. */
#ifndef TS_LANES_H
#define TS_LANES_H

#include "simd.h"

enum { LANES = 8 };
typedef double D8 __attribute__((vector_size(64)));
typedef int64_t L8 __attribute__((vector_size(64)));

#define ROUND_UP(n) (((size_t)(n) + LANES - 1) / LANES * LANES)

/* Sine and cosine of 2 pi turns, for turns under 2^49; errors under 1e-7, as the part of a turn is taken in double precision. */
INLINE void sincos_turns(const D8 *turns, F8 *sine, F8 *cosine) {
  D8 quarters = *turns * 4.0, moved = quarters + ROUND4;
  I8 quarter = __builtin_convertvector((L8)moved & 3, I8);
  F8 x = __builtin_convertvector(quarters - (moved - ROUND4), F8) * 1.57079632679f, square = x * x;
  F8 s = x * (1.0f + square * (-0.166666667f + square * (8.33333333e-3f + square * (-1.98412698e-4f + square * 2.75573192e-6f))));
  F8 c = 1.0f + square * (-0.5f + square * (4.16666667e-2f + square * (-1.38888889e-3f + square * 2.48015873e-5f)));
  I8 odd = -(quarter & 1), bits_s = (I8)s, bits_c = (I8)c;
  I8 sign_s = (quarter & 2) << 30, sign_c = ((quarter + 1) & 2) << 30;
  *sine = (F8)(((bits_c & odd) | (bits_s & ~odd)) ^ sign_s);
  *cosine = (F8)(((bits_s & odd) | (bits_c & ~odd)) ^ sign_c);
}
#endif
