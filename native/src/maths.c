/* Elementary functions of one number and of arrays, by the lanes of simd.h: one number has the bits that it has in an array. */
#include "base.h"
#include "simd.h"

double ts_exp(double x) { return exp4(all4(x))[0]; }
float ts_expf(float x) { return exp8(all8(x))[0]; }
double ts_log(double x) { return log4(all4(x))[0]; }
float ts_logf(float x) { return log8(all8(x))[0]; }

double ts_exp2(double x) {
  D4 y, at = all4(x), moved = at + ROUND4;
  if (!(x >= -1022)) return x < -1022 ? 0 : x;
  if (x >= 1024) return __builtin_inf();
  y = exp_parts4(moved, (at - (moved - ROUND4)) * 0x1.62e42fefa39efp-1);
  return y[0];
}

double ts_pow10(double x) {
  D4 y, at = all4(x), moved = at * 0x1.a934f0979a371p+1 + ROUND4, k = moved - ROUND4;
  if (!(x >= -307.652)) return x < -307.652 ? 0 : x;
  if (x >= 308.2547155599167) return __builtin_inf();
  y = exp_parts4(moved, ((at - k * 0x1.34413508p-2) - k * 0x1.f79fef311f12bp-34) * 0x1.26bb1bbb55516p+1);
  return y[0];
}

double ts_log2(double x) {
  D4 k, y = log_parts4(all4(x), &k);
  return log_ends4(all4(x), k + (y * 0x1.777d0ffda0d24p-56 + y * 0x1.71547652b82fep+0))[0];
}

double ts_log10(double x) {
  D4 k, y = log_parts4(all4(x), &k);
  return log_ends4(all4(x), k * 0x1.34413508p-2 + (k * 0x1.f79fef311f12bp-34 + y * 0x1.bcb7b1526e50ep-2))[0];
}

float ts_log10f(float x) { return (float)ts_log10((double)x); }
double ts_sqrt(double x) { return __builtin_sqrt(x); }
float ts_sqrtf(float x) { return __builtin_sqrtf(x); }

double ts_floor(double x) {
  double magnitude = x < 0 ? -x : x, whole;
  if (!(magnitude < 0x1p51)) { /* from 2^52 there are no fractions; between, a half is lost by the sum below */
    if (!(magnitude < 0x1p52)) return x;
    whole = (double)(int64_t)x;
  } else {
    whole = (x + ROUND4) - ROUND4;
  }
  return whole > x ? whole - 1 : whole;
}

float ts_floorf(float x) { return (float)ts_floor((double)x); }

double ts_sin_turns(double turns) {
  D4 sine, cosine;
  sincos_turns4(all4(turns), &sine, &cosine);
  return sine[0];
}

double ts_cos_turns(double turns) {
  D4 sine, cosine;
  sincos_turns4(all4(turns), &sine, &cosine);
  return cosine[0];
}

double ts_midi_hertz(double midi) { return 440.0 * ts_exp2((midi - 69.0) / 12.0); }

void ts_exp_array(const float *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) store8(y + i, exp8(load8(x + i)));
  for (; i < n; i++) y[i] = ts_expf(x[i]);
}

void ts_log_array(const float *x, float *y, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) store8(y + i, log8(load8(x + i)));
  for (; i < n; i++) y[i] = ts_logf(x[i]);
}

void ts_sincos_turns_array(const double *turns, double *sine, double *cosine, size_t n) {
  size_t i = 0;
  D4 s, c;
  for (; i + 4 <= n; i += 4) {
    sincos_turns4(load4(turns + i), &s, &c);
    store4(sine + i, s), store4(cosine + i, c);
  }
  for (; i < n; i++) {
    sincos_turns4(all4(turns[i]), &s, &c);
    sine[i] = s[0], cosine[i] = c[0];
  }
}
