/* Filters and levels of finished sounds, in double precision. */
#ifndef TS_FINISH_H
#define TS_FINISH_H

#include "parts.h"

/* y[n] = b0 x[n] + b1 x[n - 1] + b2 x[n - 2] - a1 y[n - 1] - a2 y[n - 2], from silence. */
typedef struct {
  double b0, b1, b2, a1, a2;
} Biquad;
void biquad_run(const Biquad *filter, double *samples, size_t n); /* in place */
void k_weighting(double rate, Biquad out[2]);                      /* of BS.1770; their first coefficient is not 1 */
Biquad high_pass(double cutoff, double rate);                     /* Butterworth, second order; both in Hz */

/* Loudness of the loudest 0.4 s in LKFS, steps of 10 ms, after ITU-R BS.1770 (audio/loudness.py). wave: [channel][stride]. */
Status loudest_loudness(const double *wave, int channels, size_t stride, size_t samples, int rate, double *out, Arena *work);
double absolute_peak(const double *samples, size_t n);
#endif
