/* Moving means of levels over frames and bands, as detail/blend.py takes them: of the cells that are there. */
#include "near.h"

enum { SMOOTH = 4, AROUND = 8 };

static void add_row(const float *restrict x, float sign, size_t n, float *restrict sum) {
  for (size_t i = 0; i < n; i++) sum[i] += sign * x[i];
}

/* Sums of every window anew: a sum that is carried along would gather what is rounded away. */
void mean_over_frames(const float *x, int frames, int bands, int reach, float *out, float *row) {
  size_t n = (size_t)bands;
  for (int t = 0; t < frames; t++) {
    int first = t > reach ? t - reach : 0, last = t + reach < frames - 1 ? t + reach : frames - 1;
    memset(row, 0, n * sizeof *row);
    for (int k = first; k <= last; k++) add_row(x + (size_t)k * n, 1.0f, n, row);
    float share = 1.0f / (float)(last - first + 1), *to = out + (size_t)t * n;
    for (size_t i = 0; i < n; i++) to[i] = row[i] * share;
  }
}

void mean_over_bands(const float *x, int frames, int bands, int reach, float *out) {
  for (int t = 0; t < frames; t++) {
    const float *row = x + (size_t)t * (size_t)bands;
    float *to = out + (size_t)t * (size_t)bands;
    int inner = bands > 2 * reach ? bands - reach : reach;
    for (int i = 0; i < bands; i++) to[i] = 0.0f;
    for (int k = -reach; k <= reach; k++) /* by vectors where no end is near */
      for (int i = reach; i < inner && i < bands - reach; i++) to[i] += row[i + k];
    for (int i = 0; i < bands; i++) {
      if (i >= reach && i < bands - reach) {
        to[i] *= 1.0f / (float)(2 * reach + 1);
        continue;
      }
      int first = i > reach ? i - reach : 0, last = i + reach < bands - 1 ? i + reach : bands - 1;
      float sum = 0.0f;
      for (int k = first; k <= last; k++) sum += row[k];
      to[i] = sum / (float)(last - first + 1);
    }
  }
}

void largest_over_bands(const float *x, int frames, int bands, int reach, float *out) {
  for (int t = 0; t < frames; t++) {
    const float *row = x + (size_t)t * (size_t)bands;
    float *to = out + (size_t)t * (size_t)bands;
    memcpy(to, row, (size_t)bands * sizeof *row);
    for (int k = 1; k <= reach && k < bands; k++) {
      for (int i = 0; i < bands - k; i++) to[i] = row[i + k] > to[i] ? row[i + k] : to[i];
      for (int i = k; i < bands; i++) to[i] = row[i - k] > to[i] ? row[i - k] : to[i];
    }
  }
}

void fluctuation(const float *levels, int frames, int bands, float *out, float *spare, float *row) {
  size_t cells = (size_t)frames * (size_t)bands;
  mean_over_frames(levels, frames, bands, SMOOTH, spare, row);
  for (size_t i = 0; i < cells; i++) spare[i] = (levels[i] - spare[i]) * (levels[i] - spare[i]);
  mean_over_frames(spare, frames, bands, AROUND, out, row);
  for (size_t i = 0; i < cells; i++) out[i] = __builtin_sqrtf(out[i]);
}
