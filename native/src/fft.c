/* Real Fourier transforms of a power of two; fft_passes.h has the mathematics. */
#include "base.h"
#include "simd.h"

struct Fft {
  size_t n, last;         /* last: where the factors of the shortest pass begin */
  int odd, precise;       /* odd: a factor of 2 beside those of 4 */
  const void *factors;    /* of the passes from the longest to the shortest: float, or double where precise */
  const void *halves;     /* half the factor (cos, sin) of k / n turns, k <= n / 4 */
  const uint32_t *places; /* of bin k < n / 2 in the transform's order */
};

#define V F8
#define S float
#define NAME(function) lanes_##function
#include "fft_passes.h"
#undef V
#undef S
#undef NAME
#define V float
#define S float
#define NAME(function) one_##function
#include "fft_passes.h"
#undef V
#undef S
#undef NAME
#define V double
#define S double
#define NAME(function) double_##function
#include "fft_passes.h"

static void store(void *table, int precise, size_t at, double value) {
  if (precise)
    ((double *)table)[at] = value;
  else
    ((float *)table)[at] = (float)value;
}

static Status open(Fft **out, size_t n, int precise, Arena *arena) {
  size_t m = n / 2, count = 0, size = precise ? sizeof(double) : sizeof(float), at = 0, length;
  uint32_t *places;
  void *factors, *halves;
  if (n < 16 || n > (size_t)1 << 20 || (n & (n - 1))) return TS_ARGUMENT;
  for (length = m; length > 2; length /= 4) count += 6 * (length / 4);
  Fft *fft = TAKE(arena, Fft, 1);
  factors = arena_take(arena, count, size), halves = arena_take(arena, m + 2, size), places = TAKE(arena, uint32_t, m);
  if (!fft || !factors || !halves || !places) return TS_MEMORY;
  fft->n = n, fft->precise = precise, fft->last = 0;
  for (length = m; length > 2; length /= 4) {
    fft->last = at;
    for (size_t j = 0; j < length / 4; j++)
      for (size_t k = 1; k <= 3; k++) {
        double turns = (double)(j * k) / (double)length;
        store(factors, precise, at++, ts_cos_turns(turns));
        store(factors, precise, at++, ts_sin_turns(turns));
      }
  }
  fft->odd = length == 2;
  for (size_t k = 0; k <= m / 2; k++) {
    store(halves, precise, 2 * k, 0.5 * ts_cos_turns((double)k / (double)n));
    store(halves, precise, 2 * k + 1, 0.5 * ts_sin_turns((double)k / (double)n));
  }
  places[0] = 0;
  for (size_t k = 1; k < m; k++) places[k] = (uint32_t)((places[k / 2] / 2) | (k & 1 ? m / 2 : 0));
  fft->factors = factors, fft->halves = halves, fft->places = places;
  *out = fft;
  return TS_OK;
}

Status fft_open(Fft **out, size_t n, Arena *arena) { return open(out, n, 0, arena); }
Status fft_open_double(Fft **out, size_t n, Arena *arena) { return open(out, n, 1, arena); }

void fft_forward_lanes(const Fft *fft, float *samples, float *bins) { lanes_forward(fft, (F8 *)samples, (F8 *)bins); }
void fft_inverse_lanes(const Fft *fft, const float *bins, float *samples) { lanes_inverse(fft, (const F8 *)bins, (F8 *)samples); }

/* Eight rows of eight numbers to their transpose. */
static inline void turn_8(F8 *r) {
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define FIRST(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define SECOND(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define BELOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define ABOVE(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
  F8 a = LOW(r[0], r[1]), b = HIGH(r[0], r[1]), c = LOW(r[2], r[3]), d = HIGH(r[2], r[3]);
  F8 e = LOW(r[4], r[5]), f = HIGH(r[4], r[5]), g = LOW(r[6], r[7]), h = HIGH(r[6], r[7]);
  F8 s = FIRST(a, c), t = SECOND(a, c), u = FIRST(b, d), v = SECOND(b, d);
  F8 w = FIRST(e, g), x = SECOND(e, g), y = FIRST(f, h), z = SECOND(f, h);
  r[0] = BELOW(s, w), r[1] = BELOW(t, x), r[2] = BELOW(u, y), r[3] = BELOW(v, z);
  r[4] = ABOVE(s, w), r[5] = ABOVE(t, x), r[6] = ABOVE(u, y), r[7] = ABOVE(v, z);
}

void lanes_gather(const float *rows, size_t stride, const float *window, float *lanes, size_t n) {
  for (size_t i = 0; i < n; i += 8) {
    F8 r[8], w = window ? load8(window + i) : all8(1);
    for (size_t lane = 0; lane < 8; lane++) r[lane] = load8(rows + lane * stride + i) * w;
    turn_8(r);
    for (size_t k = 0; k < 8; k++) store8(lanes + 8 * (i + k), r[k]);
  }
}

void lanes_scatter(const float *lanes, size_t n, float *rows, size_t stride) {
  for (size_t i = 0; i < n; i += 8) {
    F8 r[8];
    for (size_t k = 0; k < 8; k++) r[k] = load8(lanes + 8 * (i + k));
    turn_8(r);
    for (size_t lane = 0; lane < 8; lane++) store8(rows + lane * stride + i, r[lane]);
  }
}

void lanes_overlap_add(const float *lanes, size_t n, const float *window, float *rows, size_t stride) {
  for (size_t i = 0; i < n; i += 8) {
    F8 r[8], w = window ? load8(window + i) : all8(1);
    for (size_t k = 0; k < 8; k++) r[k] = load8(lanes + 8 * (i + k));
    turn_8(r);
    for (size_t lane = 0; lane < 8; lane++) store8(rows + lane * stride + i, load8(rows + lane * stride + i) + r[lane] * w);
  }
}

Status fft_forward(const Fft *fft, const float *samples, float *bins, size_t count, Arena *work) {
  size_t n = fft->n, used = work->used, groups = count / 8;
  float *x = TAKE(work, float, 8 * n), *y = TAKE(work, float, 8 * (n + 2));
  work->used = used;
  if (!x || !y) return TS_MEMORY;
  for (size_t i = 0; i < groups; i++, samples += 8 * n, bins += 8 * (n + 2)) {
    lanes_gather(samples, n, NULL, x, n);
    lanes_forward(fft, (F8 *)x, (F8 *)y);
    lanes_scatter(y, n, bins, n + 2);
    for (size_t lane = 0; lane < 8; lane++) bins[lane * (n + 2) + n] = y[8 * n + lane], bins[lane * (n + 2) + n + 1] = 0;
  }
  for (size_t i = 8 * groups; i < count; i++, samples += n, bins += n + 2) {
    memcpy(x, samples, n * sizeof(float));
    one_forward(fft, x, bins);
  }
  return TS_OK;
}

Status fft_inverse(const Fft *fft, const float *bins, float *samples, size_t count, Arena *work) {
  size_t n = fft->n, used = work->used, groups = count / 8;
  float *x = TAKE(work, float, 8 * n), *y = TAKE(work, float, 8 * (n + 2));
  work->used = used;
  if (!x || !y) return TS_MEMORY;
  for (size_t i = 0; i < groups; i++, samples += 8 * n, bins += 8 * (n + 2)) {
    lanes_gather(bins, n + 2, NULL, y, n);
    for (size_t lane = 0; lane < 8; lane++) y[8 * n + lane] = bins[lane * (n + 2) + n];
    lanes_inverse(fft, (F8 *)y, (F8 *)x);
    lanes_scatter(x, n, samples, n);
  }
  for (size_t i = 8 * groups; i < count; i++, samples += n, bins += n + 2) one_inverse(fft, bins, samples);
  return TS_OK;
}

Status fft_forward_double(const Fft *fft, const double *samples, double *bins, Arena *work) {
  size_t used = work->used;
  double *x = TAKE(work, double, fft->n);
  work->used = used;
  if (!x) return TS_MEMORY;
  memcpy(x, samples, fft->n * sizeof(double));
  double_forward(fft, x, bins);
  return TS_OK;
}

Status fft_inverse_double(const Fft *fft, const double *bins, double *samples, Arena *work) {
  (void)work;
  double_inverse(fft, bins, samples);
  return TS_OK;
}
