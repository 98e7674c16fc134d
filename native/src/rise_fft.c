/* Transforms whose length is a product of 2, 3 and 5. The inner loops run over neighbouring numbers. */
#include "rise.h"

static const float COS_1 = 0.309016994f, COS_2 = -0.809016994f, SIN_1 = 0.951056516f, SIN_2 = 0.587785252f, SIN_3 = 0.866025404f;

/* `count` transforms of `radix` points side by side: point k from x[k * step], result k to y[k * count], turned by roots wr[k], wi[k]. */
typedef struct {
  const float *restrict xr, *restrict xi;
  float *restrict yr, *restrict yi;
  size_t step, count;
  float wr[5], wi[5];
} Butterfly;

#define LOAD(k) float r##k = xr[i + (k) * step], i##k = xi[i + (k) * step]
#define STORE(k, re, im)                                \
  do {                                                  \
    float re_ = (re), im_ = (im);                       \
    yr[i + (k) * count] = re_ * wr[k] - im_ * wi[k];     \
    yi[i + (k) * count] = re_ * wi[k] + im_ * wr[k];     \
  } while (0)
#define OPEN(b)                                                                    \
  const float *restrict xr = (b)->xr, *restrict xi = (b)->xi, *wr = (b)->wr, *wi = (b)->wi; \
  float *restrict yr = (b)->yr, *restrict yi = (b)->yi;                            \
  const size_t step = (b)->step, count = (b)->count

static void radix_2(const Butterfly *b) {
  OPEN(b);
  for (size_t i = 0; i < count; i++) {
    LOAD(0);
    LOAD(1);
    STORE(0, r0 + r1, i0 + i1);
    STORE(1, r0 - r1, i0 - i1);
  }
}

static void radix_3(const Butterfly *b) {
  OPEN(b);
  for (size_t i = 0; i < count; i++) {
    LOAD(0);
    LOAD(1);
    LOAD(2);
    float tr = r1 + r2, ti = i1 + i2, ur = r0 - 0.5f * tr, ui = i0 - 0.5f * ti, vr = SIN_3 * (r1 - r2), vi = SIN_3 * (i1 - i2);
    STORE(0, r0 + tr, i0 + ti);
    STORE(1, ur + vi, ui - vr);
    STORE(2, ur - vi, ui + vr);
  }
}

static void radix_4(const Butterfly *b) {
  OPEN(b);
  for (size_t i = 0; i < count; i++) {
    LOAD(0);
    LOAD(1);
    LOAD(2);
    LOAD(3);
    float ar = r0 + r2, ai = i0 + i2, br = r0 - r2, bi = i0 - i2, cr = r1 + r3, ci = i1 + i3, dr = r1 - r3, di = i1 - i3;
    STORE(0, ar + cr, ai + ci);
    STORE(1, br + di, bi - dr);
    STORE(2, ar - cr, ai - ci);
    STORE(3, br - di, bi + dr);
  }
}

static void radix_5(const Butterfly *b) {
  OPEN(b);
  for (size_t i = 0; i < count; i++) {
    LOAD(0);
    LOAD(1);
    LOAD(2);
    LOAD(3);
    LOAD(4);
    float ar = r1 + r4, ai = i1 + i4, br = r2 + r3, bi = i2 + i3, cr = r1 - r4, ci = i1 - i4, dr = r2 - r3, di = i2 - i3;
    float ur = r0 + COS_1 * ar + COS_2 * br, ui = i0 + COS_1 * ai + COS_2 * bi, vr = SIN_1 * cr + SIN_2 * dr, vi = SIN_1 * ci + SIN_2 * di;
    STORE(0, r0 + ar + br, i0 + ai + bi);
    STORE(1, ur + vi, ui - vr);
    STORE(4, ur - vi, ui + vr);
    ur = r0 + COS_2 * ar + COS_1 * br, ui = i0 + COS_2 * ai + COS_1 * bi, vr = SIN_2 * cr - SIN_1 * dr, vi = SIN_2 * ci - SIN_1 * di;
    STORE(2, ur + vi, ui - vr);
    STORE(3, ur - vi, ui + vr);
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

/* [rows][columns] turned by roots, to [columns][rows]. */
static void turn_over(const Smooth *smooth, float *const from[2], float *const to[2]) {
  enum { SIDE = 8 };
  const size_t rows = smooth->first, columns = smooth->second;
  const float *cosine = smooth->roots, *sine = smooth->roots + smooth->n;
  for (size_t i = 0; i < rows; i += SIDE)
    for (size_t k = 0; k < columns; k += SIDE) {
      size_t height = rows - i < SIDE ? rows - i : SIDE, width = columns - k < SIDE ? columns - k : SIDE;
      for (size_t a = 0; a < height; a++)
        for (size_t b = 0; b < width; b++) {
          size_t at = (i + a) * columns + k + b, out = (k + b) * rows + i + a;
          float re = from[0][at], im = from[1][at], c = cosine[at], s = sine[at];
          to[0][out] = re * c - im * s;
          to[1][out] = re * s + im * c;
        }
    }
}

Status smooth_run(const Smooth *smooth, float *re, float *im, Arena *work) {
  const size_t used = work->used, bytes = smooth->n * sizeof *re;
  float *spare = TAKE(work, float, 2 * smooth->n);
  if (spare == NULL) return TS_MEMORY;
  float *parts[2] = {re, im}, *other[2] = {spare, spare + smooth->n};
  columns_run(parts, other, smooth->first, smooth->second, smooth->first_roots);
  turn_over(smooth, parts, other);
  columns_run(other, parts, smooth->second, smooth->first, smooth->second_roots);
  if (other[0] != re) __builtin_memcpy(re, other[0], bytes), __builtin_memcpy(im, other[1], bytes);
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
