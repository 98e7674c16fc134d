/* Coarse grids of time and frequency. */
#include "model.h"

/* Python's round: to the nearest, halves to even. x: 0 to 2^52. */
static double rounded(double x) {
  double low = (double)(int64_t)x, rest = x - low;
  return low + (rest > 0.5 || (rest == 0.5 && ((int64_t)low & 1)) ? 1.0 : 0.0);
}

/* Edges of runs over `size` places: `fixed` single ones, then one of `rounded(base + growth * what is before it)`. Returns their number; over
   `most + 1` counts as that. */
static int64_t runs(int64_t size, int64_t fixed, double base, double growth, int64_t most, int32_t *out) {
  int64_t at = 0, count = 1;
  if (out) out[0] = 0;
  while (at < size) {
    double width = at < fixed ? 1.0 : rounded(base + growth * (double)(at - fixed));
    at = width > (double)size ? size : at + (width > 1.0 ? (int64_t)width : 1);
    if (at > size) at = size;
    if (count > most) return count + 1;
    if (out) out[count] = (int32_t)at;
    count++;
  }
  return count;
}

static int64_t grown(int64_t size, int64_t fixed, double base, double widest, int64_t wanted, int32_t *out, size_t room) {
  double low = 0.0, high = 1.0;
  while (runs(size, fixed, base, high, wanted, NULL) - 1 > wanted && high < widest) high *= 2.0;
  for (int i = 0; i < 50; i++) {
    double middle = (low + high) / 2.0;
    if (runs(size, fixed, base, middle, wanted, NULL) - 1 > wanted)
      low = middle;
    else
      high = middle;
  }
  int64_t count = runs(size, fixed, base, high, (int64_t)room, NULL);
  if (count > (int64_t)room) return 0;
  return runs(size, fixed, base, high, (int64_t)room, out);
}

int64_t step_edges(int64_t frames, int64_t attack, int64_t steps, int32_t *out, size_t room) {
  return grown(frames, attack, 1.0, (double)frames, steps, out, room);
}

int64_t band_edges(int64_t bins, int64_t bands, int32_t *out, size_t room) { return grown(bins, 0, 0.0, 1e9, bands, out, room); }
