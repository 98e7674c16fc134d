/* Transforms whose length is a product of 2, 3 and 5. The inner loops run over neighbouring numbers. */
#include "rise.h"
#include "simd.h"

static const float COS_1 = 0.309016994f, COS_2 = -0.809016994f, SIN_1 = 0.951056516f, SIN_2 = 0.587785252f, SIN_3 = 0.866025404f;

/* `count` transforms side by side, eight at a time: point k from x[k * step], result k to y[k * count], turned by the roots wr[k], wi[k].
   count: a multiple of 8. */
typedef struct {
  const float *xr, *xi;
  float *yr, *yi;
  size_t step, count;
  float wr[5], wi[5];
} Butterfly;

typedef struct {
  F8 re, im;
} C8;

INLINE C8 load(const Butterfly *b, size_t i, size_t k) { return (C8){load8(b->xr + i + k * b->step), load8(b->xi + i + k * b->step)}; }
INLINE C8 sum(C8 a, C8 b) { return (C8){a.re + b.re, a.im + b.im}; }
INLINE C8 difference(C8 a, C8 b) { return (C8){a.re - b.re, a.im - b.im}; }
INLINE C8 times(float x, C8 a) { return (C8){x * a.re, x * a.im}; }
INLINE C8 less_i(C8 a, C8 b) { return (C8){a.re + b.im, a.im - b.re}; } /* a - i b */
INLINE C8 plus_i(C8 a, C8 b) { return (C8){a.re - b.im, a.im + b.re}; }

INLINE void store(const Butterfly *b, size_t i, size_t k, C8 a) {
  store8(b->yr + i + k * b->count, a.re * b->wr[k] - a.im * b->wi[k]);
  store8(b->yi + i + k * b->count, a.re * b->wi[k] + a.im * b->wr[k]);
}

static void radix_2(const Butterfly *b) {
  for (size_t i = 0; i < b->count; i += 8) {
    C8 p = load(b, i, 0), q = load(b, i, 1);
    store(b, i, 0, sum(p, q));
    store(b, i, 1, difference(p, q));
  }
}

static void radix_3(const Butterfly *b) {
  for (size_t i = 0; i < b->count; i += 8) {
    C8 p = load(b, i, 0), q = load(b, i, 1), r = load(b, i, 2), both = sum(q, r);
    C8 u = difference(p, times(0.5f, both)), v = times(SIN_3, difference(q, r));
    store(b, i, 0, sum(p, both));
    store(b, i, 1, less_i(u, v));
    store(b, i, 2, plus_i(u, v));
  }
}

static void radix_4(const Butterfly *b) {
  for (size_t i = 0; i < b->count; i += 8) {
    C8 p = load(b, i, 0), q = load(b, i, 1), r = load(b, i, 2), s = load(b, i, 3);
    C8 t = sum(p, r), u = difference(p, r), v = sum(q, s), w = difference(q, s);
    store(b, i, 0, sum(t, v));
    store(b, i, 1, less_i(u, w));
    store(b, i, 2, difference(t, v));
    store(b, i, 3, plus_i(u, w));
  }
}

static void radix_5(const Butterfly *b) {
  for (size_t i = 0; i < b->count; i += 8) {
    C8 p = load(b, i, 0), q = load(b, i, 1), r = load(b, i, 2), s = load(b, i, 3), t = load(b, i, 4);
    C8 outer = sum(q, t), inner = sum(r, s), wide = difference(q, t), near = difference(r, s);
    store(b, i, 0, sum(p, sum(outer, inner)));
    C8 u = sum(p, sum(times(COS_1, outer), times(COS_2, inner))), v = sum(times(SIN_1, wide), times(SIN_2, near));
    store(b, i, 1, less_i(u, v));
    store(b, i, 4, plus_i(u, v));
    u = sum(p, sum(times(COS_2, outer), times(COS_1, inner))), v = difference(times(SIN_2, wide), times(SIN_1, near));
    store(b, i, 2, less_i(u, v));
    store(b, i, 3, plus_i(u, v));
  }
}

static size_t radix_of(size_t n) { return n % 4 == 0 ? 4 : n % 5 == 0 ? 5 : n % 3 == 0 ? 3 : 2; }

/* Transforms of n points each, `columns` of them side by side, point k at k * columns. Stockham's order; parts[0] -> parts[0]. */
static void columns_run(float *parts[2], float *other[2], size_t n, size_t columns, const float *roots) {
  static void (*const RUN[6])(const Butterfly *) = {NULL, NULL, radix_2, radix_3, radix_4, radix_5};
  const size_t total = n;
  size_t side = columns, radix;
  for (; n > 1; n /= radix, side *= radix) {
    radix = radix_of(n);
    const size_t m = n / radix;
    for (size_t p = 0; p < m; p++) {
      Butterfly b = {.xr = parts[0] + side * p, .xi = parts[1] + side * p, .step = side * m, .count = side};
      b.yr = other[0] + side * radix * p, b.yi = other[1] + side * radix * p;
      for (size_t k = 0; k < radix; k++) b.wr[k] = roots[p * k * (total / n)], b.wi[k] = roots[total + p * k * (total / n)];
      RUN[radix](&b);
    }
    for (int k = 0; k < 2; k++) {
      float *swap = parts[k];
      parts[k] = other[k], other[k] = swap;
    }
  }
}

size_t smooth_size(size_t least) {
  for (size_t n = least > 1 ? least : 1;; n++) {
    size_t rest = n;
    while (rest % 2 == 0) rest /= 2;
    while (rest % 3 == 0) rest /= 3;
    while (rest % 5 == 0) rest /= 5;
    if (rest == 1) return n;
  }
}

/* exp(-2 pi i k step) for k up to n: cosines, then sines. */
static void fill_roots(float *out, size_t n, size_t whole, double step, size_t by) {
  enum { BLOCK = 64 };
  double turns[BLOCK], sine[BLOCK], cosine[BLOCK];
  for (size_t i = 0; i < n; i += BLOCK) {
    size_t count = n - i < BLOCK ? n - i : BLOCK;
    for (size_t k = 0; k < count; k++) turns[k] = (double)((i + k) * by) * step;
    ts_sincos_turns_array(turns, sine, cosine, count);
    for (size_t k = 0; k < count; k++) out[i + k] = (float)cosine[k], out[whole + i + k] = (float)-sine[k];
  }
}

Status smooth_open(Smooth *out, size_t n, Arena *arena) {
  size_t first = 1;
  for (size_t k = 1; k * k <= n; k++)
    if (n % k == 0) first = k;
  Smooth smooth = {.n = n, .first = first, .second = n / first};
  float *block = TAKE(arena, float, 2 * (first + n / first + 2 * n));
  if (block == NULL) return TS_MEMORY;
  smooth.first_roots = block, smooth.second_roots = block + 2 * first;
  smooth.roots = smooth.second_roots + 2 * smooth.second, smooth.halves = smooth.roots + 2 * n;
  fill_roots(smooth.first_roots, first, first, 1.0 / (double)first, 1);
  fill_roots(smooth.second_roots, smooth.second, smooth.second, 1.0 / (double)smooth.second, 1);
  for (size_t j = 0; j < first; j++) fill_roots(smooth.roots + j * smooth.second, smooth.second, n, 1.0 / (double)n, j);
  fill_roots(smooth.halves, n, n, 0.5 / (double)n, 1);
  *out = smooth;
  return TS_OK;
}

static size_t padded(size_t n) { return (n + 7) / 8 * 8; }

/* [first][padded second] turned by roots, to [second][padded first]. */
static void turn_over(const Smooth *smooth, float *const from[2], float *const to[2]) {
  enum { SIDE = 8 };
  const size_t rows = smooth->first, columns = smooth->second, wide = padded(columns), high = padded(rows);
  const float *cosine = smooth->roots, *sine = smooth->roots + smooth->n;
  for (size_t i = 0; i < rows; i += SIDE)
    for (size_t k = 0; k < columns; k += SIDE) {
      size_t height = rows - i < SIDE ? rows - i : SIDE, width = columns - k < SIDE ? columns - k : SIDE;
      for (size_t a = 0; a < height; a++)
        for (size_t b = 0; b < width; b++) {
          size_t at = (i + a) * wide + k + b, root = (i + a) * columns + k + b, out = (k + b) * high + i + a;
          float re = from[0][at], im = from[1][at], c = cosine[root], s = sine[root];
          to[0][out] = re * c - im * s;
          to[1][out] = re * s + im * c;
        }
    }
  for (size_t k = 0; k < columns; k++)
    for (size_t i = rows; i < high; i++) to[0][k * high + i] = to[1][k * high + i] = 0.0f;
}

Status smooth_run(const Smooth *smooth, float *re, float *im, Arena *work) {
  const size_t used = work->used, first = smooth->first, second = smooth->second, wide = padded(second), high = padded(first);
  const size_t size = first * wide > second * high ? first * wide : second * high;
  float *block = TAKE(work, float, 4 * size), *compact[2] = {re, im};
  if (block == NULL) return TS_MEMORY;
  float *parts[2] = {block, block + size}, *other[2] = {block + 2 * size, block + 3 * size};
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < first; i++) {
      float *row = parts[k] + i * wide;
      __builtin_memcpy(row, compact[k] + i * second, second * sizeof *row);
      for (size_t j = second; j < wide; j++) row[j] = 0.0f;
    }
  columns_run(parts, other, first, wide, smooth->first_roots);
  turn_over(smooth, parts, other);
  columns_run(other, parts, second, high, smooth->second_roots);
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < second; i++) __builtin_memcpy(compact[k] + i * first, other[k] + i * high, first * sizeof *re);
  work->used = used;
  return TS_OK;
}

Status smooth_envelope(const Smooth *smooth, float *samples, size_t n, Arena *work) {
  const size_t used = work->used, half = smooth->n;
  float *re = TAKE(work, float, 2 * half), *im = re + half;
  if (re == NULL) return TS_MEMORY;
  for (size_t i = 0; i < half; i++) {
    re[i] = 2 * i < n ? samples[2 * i] : 0.0f;
    im[i] = 2 * i + 1 < n ? samples[2 * i + 1] : 0.0f;
  }
  Status status = smooth_run(smooth, re, im, work);
  /* Even samples have the spectrum E, odd ones O. Their Hilbert transform: -i w O and -i E / w, w = exp(-2 pi i k / 2 n). */
  const float scale = 0.5f / (float)half, *cosine = smooth->halves, *sine = smooth->halves + half;
  re[0] = im[0] = 0.0f;
  for (size_t k = 1; 2 * k <= half; k++) {
    size_t j = half - k;
    float er = re[k] + re[j], ei = im[k] - im[j], xr = im[k] + im[j], xi = re[j] - re[k], c = cosine[k], s = sine[k];
    float ar = xr * s + xi * c, ai = xi * s - xr * c; /* -i w O of k; of n - k: its conjugate */
    float br = er * c + ei * s, bi = ei * c - er * s; /* E / w */
    re[k] = (ar + br) * scale, im[k] = (ai + bi) * scale;
    re[j] = (ar - br) * scale, im[j] = (bi - ai) * scale;
  }
  if (status == TS_OK) status = smooth_run(smooth, im, re, work);
  for (size_t i = 0; i < n; i++) {
    float turned = i % 2 ? im[i / 2] : re[i / 2];
    samples[i] = __builtin_sqrtf(samples[i] * samples[i] + turned * turned);
  }
  work->used = used;
  return status;
}
