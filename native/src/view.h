/* The view of an instrument's features: levels of bands (representation/views/bands.py). */
#ifndef TS_VIEW_H
#define TS_VIEW_H

#include "parts.h"

/* As Python rounds; of numbers up to 2^51. */
static inline double round_half_even(double x) {
  const double whole = 0x1.8p52;
  return x + whole - whole;
}

typedef struct {
  int rate, channels, n_fft, hop, bins, bands;
  double floor;     /* dB under the loudest cell where levels are cut */
  const int32_t *edges; /* bands + 1: band b has the bins edges[b] to edges[b + 1] - 1 */
} View;

/* TS_UNCOVERED for another view, a normalised one, or a window that is no power of two; TS_DAMAGED for values that cannot be. */
Status view_open(View *out, const File *file, Arena *arena);
/* The window of the view, periodic Hann, [n_fft]; NULL: the memory is too small. */
const float *view_window(const View *view, Arena *arena);
double view_centre(const View *view, int band); /* Hz */
#endif
