/* Draws the noise of detail. Streams are read in the order of detail_model/fields.py: bands first, frames last. */
#include "fields.h"

enum { BROAD_BANDS = 10 };
static const double QUARTER = 0.25; /* of a turn */

void fields_knot_values(Noise *noise, float *out) {
  float common, values[BAND_KNOTS];
  noise_normalf(noise, &common, 1);
  noise_normalf(noise, values, BAND_KNOTS);
  const float root = 1.3114877f; /* sqrt(1.72) */
  for (int i = 0; i < BAND_KNOTS; i++) {
    float smooth = values[i] + (i > 0 ? 0.6f * values[i - 1] : 0.0f) + (i < BAND_KNOTS - 1 ? 0.6f * values[i + 1] : 0.0f);
    float value = 0.6f * common + 0.8f * smooth / root;
    out[i] = value < -2.0f ? -2.0f : value > 2.0f ? 2.0f : value;
  }
}

/* Neighbouring bands added by `weight`; `step` apart in the values. */
static void over_bands(const float *values, size_t step, const float *weight, int bands, float *out) {
  for (int i = 0; i < bands; i++) {
    float sum = values[(size_t)i * step], w = weight[i];
    if (i > 0) sum += w * values[(size_t)(i - 1) * step];
    if (i < bands - 1) sum += w * values[(size_t)(i + 1) * step];
    out[i] = sum / ts_sqrtf(1.0f + 2.0f * w * w);
  }
}

Status fields_ripple(Noise *noise, const float *weight, int bands, float *out, Arena *work) {
  size_t used = work->used;
  float *values = TAKE(work, float, bands);
  if (values == NULL) return TS_MEMORY;
  noise_normalf(noise, values, (size_t)bands);
  over_bands(values, 1, weight, bands, out);
  work->used = used;
  return TS_OK;
}

/* The whole number under a position, and the weights of it and the next one, whose squares add up to 1. */
static int between(float position, float *a, float *b) {
  float first = ts_floorf(position);
  double turns = (double)(position - first) * QUARTER;
  *a = (float)ts_cos_turns(turns);
  *b = (float)ts_sin_turns(turns);
  return (int)first;
}

Status fields_octaves(Noise *noise, int frames, Octaves *out, Arena *work) {
  double offset;
  noise_uniform(noise, &offset, 1);
  out->first = TAKE(work, int, frames);
  out->a = TAKE(work, float, frames);
  out->b = TAKE(work, float, frames);
  if (out->first == NULL || out->a == NULL || out->b == NULL) return TS_MEMORY;
  for (int i = 0; i < frames; i++) out->first[i] = between((float)ts_log2(i + 2.0) + (float)offset, out->a + i, out->b + i);
  out->columns = out->first[frames - 1] + 2;
  return TS_OK;
}

Status fields_drifting(Noise *noise, const float *weight, int bands, int columns, float *out, Arena *work) {
  size_t used = work->used, count = (size_t)bands * (size_t)columns;
  float *values = TAKE(work, float, count);
  if (values == NULL) return TS_MEMORY;
  noise_normalf(noise, values, count);
  for (int i = 0; i < columns; i++) over_bands(values + i, (size_t)columns, weight, bands, out + (size_t)i * (size_t)bands);
  work->used = used;
  return TS_OK;
}

Status fields_broad(Noise *noise, int bands, int columns, float *out, Arena *work) {
  size_t used = work->used, count = (size_t)(BROAD_BANDS + 2) * (size_t)columns;
  float *values = TAKE(work, float, count);
  if (values == NULL) return TS_MEMORY;
  double offset;
  noise_normalf(noise, values, count);
  noise_uniform(noise, &offset, 1);
  for (int i = 0; i < bands; i++) {
    float a, b, position = (float)i * (float)((double)BROAD_BANDS / bands) + (float)offset;
    int band = between(position, &a, &b);
    band = band < BROAD_BANDS ? band : BROAD_BANDS;
    const float *row = values + (size_t)band * (size_t)columns;
    for (int k = 0; k < columns; k++) out[(size_t)k * (size_t)bands + (size_t)i] = row[k] * a + row[k + columns] * b;
  }
  work->used = used;
  return TS_OK;
}

/* [rows][columns] to [columns][rows], in blocks that stay in the cache. */
static void transpose(const float *from, float *to, size_t rows, size_t columns) {
  enum { SIDE = 8 };
  for (size_t i = 0; i < rows; i += SIDE)
    for (size_t k = 0; k < columns; k += SIDE) {
      size_t height = rows - i < SIDE ? rows - i : SIDE, width = columns - k < SIDE ? columns - k : SIDE;
      for (size_t b = 0; b < width; b++)
        for (size_t a = 0; a < height; a++) to[(k + b) * rows + i + a] = from[(i + a) * columns + k + b];
    }
}

Status fields_grain(Noise *noise, const float *kernel, int bands, int frames, Grain *out, Arena *work) {
  size_t n = (size_t)bands, count = n * (size_t)(frames + 4);
  float *block = TAKE(work, float, count + 6 * n + 2);
  size_t used = work->used;
  float *stream = TAKE(work, float, count);
  if (block == NULL || stream == NULL) return TS_MEMORY;
  *out = (Grain){.bands = bands, .white = block};
  out->middle = block += count, out->near = block += n, out->far = block += n;
  out->beside = block += n, out->norm = block += n, out->smooth = block += n;
  noise_normalf(noise, stream, count);
  transpose(stream, out->white, n, (size_t)(frames + 4));
  for (size_t i = 0; i < n; i++) {
    float near = kernel[i], far = kernel[n + i], beside = kernel[2 * n + i];
    out->middle[i] = 1.0f / ts_sqrtf(1.0f + 2.0f * near * near + 2.0f * far * far);
    out->near[i] = near * out->middle[i];
    out->far[i] = far * out->middle[i];
    out->beside[i] = beside;
    out->norm[i] = 1.0f / ts_sqrtf(1.0f + 2.0f * beside * beside);
  }
  work->used = used;
  return TS_OK;
}

void fields_grain_of(const Grain *grain, int frame, float *out) {
  const size_t n = (size_t)grain->bands;
  const float *at = grain->white + (size_t)frame * n, *middle = grain->middle, *near = grain->near, *far = grain->far;
  float *smooth = grain->smooth + 1;
  for (size_t i = 0; i < n; i++)
    smooth[i] = middle[i] * at[2 * n + i] + near[i] * (at[n + i] + at[3 * n + i]) + far[i] * (at[i] + at[4 * n + i]);
  grain->smooth[0] = smooth[n] = 0.0f;
  for (size_t i = 0; i < n; i++) out[i] = (smooth[i] + grain->beside[i] * (grain->smooth[i] + smooth[i + 1])) * grain->norm[i];
}
