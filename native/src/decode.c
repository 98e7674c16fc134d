/* A latent to levels: OneShot.decode (model/codec/oneshot.py). */
#include "model.h"

static const float FARTHEST = 1e6f; /* of a coefficient; real ones are thousands */

static void normalise(const float *x, float *y, int width, const float *const norm[2]) {
  double mean = 0.0, square = 0.0;
  for (int i = 0; i < width; i++) mean += (double)x[i];
  mean /= width;
  for (int i = 0; i < width; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean);
  double scale = 1.0 / ts_sqrt(square / width + 1e-5);
  for (int i = 0; i < width; i++) y[i] = (float)(((double)x[i] - mean) * scale) * norm[0][i] + norm[1][i];
}

/* x Φ(x), with the error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). square: room for width numbers. */
static void gelu(float *x, float *square, int width) {
  for (int i = 0; i < width; i++) square[i] = x[i] * x[i] * -0.5f;
  ts_exp_array(square, square, (size_t)width);
  for (int i = 0; i < width; i++) {
    float size = x[i] < 0.0f ? -x[i] : x[i], t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * size);
    float tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * square[i];
    x[i] = 0.5f * x[i] * (x[i] < 0.0f ? tail : 2.0f - tail);
  }
}

static float clamped(float x, float limit) { return x < -limit ? -limit : x > limit ? limit : x; }

/* The inputs of the network for a latent; NaN becomes something finite or stays NaN. */
static void fill_inputs(const Model *model, const float *z, float *inputs) {
  int own = model->dims - model->known;
  for (int i = 0; i < own; i++) inputs[i] = z[i];
  float *at = inputs + own;
  if (model->has_notes) {
    at[0] = clamped(z[model->dims - 1], 2.0f);
    for (int i = 0; i < 3; i++) {
      double turns = (double)at[0] * (double)(1 << i) / 4.0;
      at[1 + i] = (float)ts_sin_turns(turns), at[4 + i] = (float)ts_cos_turns(turns);
    }
    at += PITCH_FEATURES;
  }
  if (model->has_velocity) at[0] = clamped(z[own], 2.25f);
}

/* Coefficients, and after them the standardised length. */
static Status reconstruct(const Model *model, const float *z, float *out, Arena *work) {
  size_t used = work->used;
  int wide = model->first.outputs, own = model->dims - model->known;
  float *inputs = TAKE(work, float, model->inputs), *x = TAKE(work, float, wide), *y = TAKE(work, float, wide);
  float *inner = TAKE(work, float, wide), *last = TAKE(work, float, model->last.outputs);
  if (inputs == NULL || x == NULL || y == NULL || inner == NULL || last == NULL) return TS_MEMORY;
  fill_inputs(model, z, inputs);
  matrix_apply(&model->first, inputs, x, work);
  for (int i = 0; i < model->depth; i++) {
    const Residual *block = model->blocks + i;
    normalise(x, y, model->width, block->norm);
    matrix_apply(&block->inner, y, inner, work);
    gelu(inner, y, model->width);
    matrix_apply(&block->outer, inner, y, work);
    for (int k = 0; k < model->width; k++) x[k] += y[k];
  }
  normalise(x, y, model->width, model->norm);
  matrix_apply(&model->last, y, last, work);
  for (int i = 0; i < model->coefficients; i++) {
    float linear = i < own ? z[i] * model->scale[i] : 0.0f;
    if (model->has_velocity) linear += clamped(z[own], 2.25f) * model->velocity_effect[i];
    out[i] = linear + last[i] * model->change;
    if (!(out[i] >= -FARTHEST && out[i] <= FARTHEST)) return TS_ARGUMENT;
  }
  double length = 0.0;
  for (int i = 0; i < model->dims; i++) length += (double)(z[i] * model->length_weights[i]);
  out[model->coefficients] = last[model->coefficients] + ((float)length + model->length_bias);
  work->used = used;
  return TS_OK;
}

/* Samples of a standardised length, at least 1. */
static int64_t decoded_length(const Model *model, float standard) {
  int64_t most = model->frames * model->hop - 1;
  double exponent = (double)(standard * model->length_deviation + model->length_mean), longest = ts_log2((double)most);
  if (!(exponent > 0.0)) exponent = 0.0;
  double length = (double)(float)ts_exp2(exponent < longest ? exponent : longest), low = (double)(int64_t)length;
  int64_t whole = (int64_t)low + (length - low > 0.5 || (length - low == 0.5 && ((int64_t)low & 1)));
  return whole < 1 ? 1 : whole > most ? most : whole;
}

int64_t model_length(const Model *model, const float *z, Arena *work) {
  size_t used = work->used;
  float *coefficients = TAKE(work, float, model->coefficients + 1);
  int64_t length = 0;
  if (coefficients != NULL && reconstruct(model, z, coefficients, work) == TS_OK) length = decoded_length(model, coefficients[model->coefficients]);
  work->used = used;
  return length < model->samples ? length : model->samples;
}

/* The image of slots, a step a row, in bands. */
static void restore(const Model *model, const float *image, float *out, int stride, const int32_t *at, const float *weights) {
  for (int64_t row = 0; row < (int64_t)model->parts * model->steps; row++, image += model->stride, out += stride)
    for (int band = 0; band < model->bands; band++) {
      const int32_t *from = at + 4 * band;
      const float *share = weights + 4 * band;
      out[band] = image[from[0]] * share[0] + image[from[1]] * share[1] + image[from[2]] * share[2] + image[from[3]] * share[3];
    }
}

/* Where a frame is between the middles of the steps: `upper`, and its share. */
static float share_of(const Model *model, int64_t frame, int *upper) {
  const int32_t *edges = model->edges;
  if (model->steps == 1) return *upper = 0, 1.0f;
  while (*upper < model->steps - 1 && (float)(edges[*upper + 1] + edges[*upper] - 1) / 2.0f < (float)frame) ++*upper;
  float below = (float)(edges[*upper] + edges[*upper - 1] - 1) / 2.0f, above = (float)(edges[*upper + 1] + edges[*upper] - 1) / 2.0f;
  float share = ((float)frame - below) / (above - below);
  return share < 0.0f ? 0.0f : share > 1.0f ? 1.0f : share;
}

/* The level of the loudest cell of all frames. Between two steps levels change evenly: the first and the last frame there suffice. */
static float loudest(const Model *model, const float *image, int stride) {
  float found = -1e30f;
  int upper = 1, next = 1;
  for (int64_t frame = 0; frame < model->frames; frame++) {
    int before = upper;
    float share = share_of(model, frame, &upper);
    next = upper;
    int last = frame + 1 == model->frames || (share_of(model, frame + 1, &next), next != upper);
    if (frame != 0 && upper == before && !last) continue;
    for (int part = 0; part < model->parts; part++) {
      const float *high = image + (int64_t)(part * model->steps + upper) * stride, *low = upper > 0 ? high - stride : high;
      float most = -1e30f;
      for (int band = 0; band < model->bands; band++) {
        float level = low[band] * (1.0f - share) + high[band] * share;
        most = level > most ? level : most;
      }
      found = most > found ? most : found;
    }
  }
  return found;
}

Status model_decode(const Model *model, const float *z, int64_t *samples, Levels *out, Arena *work) {
  if (*samples < 0) return TS_ARGUMENT;
  for (int i = 0; i < model->dims; i++)
    if (!(z[i] >= -1e6f && z[i] <= 1e6f)) return TS_ARGUMENT;
  size_t cells = (size_t)model->parts * (size_t)model->frames * (size_t)model->bands;
  int stride = (model->bands + LANES - 1) / LANES * LANES;
  float *db = TAKE(work, float, cells), *coefficients;
  size_t used = work->used;
  float *image = TAKE(work, float, model->basis.outputs), *bands = image;
  coefficients = TAKE(work, float, model->coefficients + 1);
  if (db == NULL || image == NULL || coefficients == NULL) return TS_MEMORY;
  size_t product = work->used;
  if (TAKE(work, float, model->coefficients) == NULL) return TS_MEMORY;
  work->used = product;
  Status status = reconstruct(model, z, coefficients, work);
  if (status != TS_OK) return status;
  matrix_apply(&model->basis, coefficients, image, work);
  if (model->rest.inputs > 0) matrix_add(&model->rest, coefficients, image, work);
  if (model->has_notes) {
    bands = TAKE(work, float, (size_t)model->parts * (size_t)model->steps * (size_t)stride);
    int32_t *at = TAKE(work, int32_t, 4 * (size_t)model->bands);
    float *weights = TAKE(work, float, 4 * (size_t)model->bands);
    if (bands == NULL || at == NULL || weights == NULL) return TS_MEMORY;
    harmonic_rows(model, notes_midi(&model->notes, z[model->dims - 1]), at, weights);
    restore(model, image, bands, stride, at, weights);
  }
  int64_t length = *samples > 0 ? *samples : decoded_length(model, coefficients[model->coefficients]);
  length = length < model->samples ? length : model->samples;
  float peak = loudest(model, bands, stride), floor = -model->floor;
  int frames = (int)(1 + length / model->hop);
  for (int part = 0; part < model->parts; part++) {
    int upper = 1;
    for (int frame = 0; frame < frames; frame++) {
      float share = share_of(model, frame, &upper);
      const float *high = bands + (int64_t)(part * model->steps + upper) * stride, *low = upper > 0 ? high - stride : high;
      float *to = db + ((size_t)part * (size_t)frames + (size_t)frame) * (size_t)model->bands;
      for (int band = 0; band < model->bands; band++) {
        float level = low[band] * (1.0f - share) + high[band] * share - peak;
        to[band] = level > floor ? level : floor;
      }
    }
  }
  *samples = length;
  *out = (Levels){.parts = model->parts, .frames = frames, .bands = model->bands, .db = db};
  work->used = used;
  return TS_OK;
}
