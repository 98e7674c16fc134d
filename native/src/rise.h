/* The Fourier transform of lengths that are products of 2, 3 and 5, for the envelope of attacks. */
#ifndef TS_RISE_H
#define TS_RISE_H

#include "detail.h"

/* A complex transform of n = first * second points: of columns, then of rows. */
typedef struct {
  size_t n, first, second;
  float *first_roots, *second_roots, *roots; /* cosines, then sines: exp(-2 pi i k / first), … / second, [first][second] … j k / n */
  float *halves;                             /* exp(-2 pi i k / 2 n), n of them */
} Smooth;

size_t smooth_size(size_t least); /* the smallest product of 2, 3 and 5 from `least` up */
Status smooth_open(Smooth *out, size_t n, Arena *arena);
/* Real and imaginary parts, in place; forward, not scaled. The inverse is that of swapped parts. */
Status smooth_run(const Smooth *smooth, float *re, float *im, Arena *work);
/* The magnitude of the analytic signal of n samples (at most 2 * smooth->n, zeros behind them), in place. */
Status smooth_envelope(const Smooth *smooth, float *samples, size_t n, Arena *work);
#endif
