/* Levels of decoded sounds: their powers, and the map to the levels that decoded training sounds have. */
#include "ranks.h"

static const float PER_DB = 0.23025851f; /* ln(10) / 10 */

float detail_power(const float *db, int bands, float floor, float *row) {
  const size_t n = (size_t)bands;
  for (size_t i = 0; i < n; i++) row[i] = db[i] * PER_DB;
  ts_exp_array(row, row, n);
  for (size_t i = 0; i < n; i++) row[i] = db[i] > SILENT_DB - floor ? row[i] : 0.0f;
  return row_sum(row, n);
}

void detail_course(const float *power, float *course, int frames) {
  float most = row_largest(power, (size_t)frames);
  most = most > 1e-12f ? most : 1e-12f;
  for (int i = 0; i < frames; i++) {
    float share = power[i] / most;
    course[i] = 10.0f * ts_log10f(share > 1e-9f ? share : 1e-9f);
  }
}

void level_knots(const float *restrict level, size_t n, float floor, int *restrict lower, float *restrict share) {
  const float per_db = (float)((LEVEL_KNOTS - 1) / (double)floor), most = LEVEL_KNOTS - 1.001f;
  for (size_t i = 0; i < n; i++) {
    float position = (level[i] + floor) * per_db;
    position = position > 0.0f ? position : 0.0f; /* of NaN: 0 */
    position = position < most ? position : most;
    lower[i] = (int)position;
    share[i] = position - (float)lower[i];
  }
}

void level_noisiness(const float *restrict level, size_t n, float *restrict padded, float *restrict out) {
  const float tonal = 10.0f, noisy = 2.0f; /* dB over the neighbours */
  __builtin_memcpy(padded + NOISY_REACH, level, n * sizeof *level);
  for (size_t i = 0; i < NOISY_REACH; i++) padded[i] = level[0], padded[NOISY_REACH + n + i] = level[n - 1];
  for (size_t i = 0; i < n; i++) { /* nearer bands belong to the same partial */
    float around = (padded[i] + padded[i + 1] + padded[i + 7] + padded[i + 8]) * 0.25f;
    float tone = (level[i] - around - noisy) * (1.0f / (tonal - noisy));
    out[i] = 1.0f - (tone > 0.0f ? (tone < 1.0f ? tone : 1.0f) : 0.0f);
  }
}

static float gain_of(const Detail *detail, const float *standard) {
  double gain = detail->gain[0];
  for (int i = 0; i < detail->dims; i++) gain += (double)standard[i] * detail->gain[1 + i];
  gain = gain > detail->gain_range[0] ? gain : detail->gain_range[0];
  return (float)(gain < detail->gain_range[1] ? gain : detail->gain_range[1]);
}

Status detail_at_training_levels(const Detail *detail, const float *standard, Levels *levels, Arena *work) {
  const size_t n = (size_t)levels->bands, used = work->used, rows = (size_t)levels->parts * (size_t)levels->frames;
  const float floor = detail->floor, gain = gain_of(detail, standard);
  float *table = TAKE(work, float, LEVEL_KNOTS * n), *restrict low = TAKE(work, float, n), *restrict high = TAKE(work, float, n);
  float *restrict share = TAKE(work, float, n);
  int *restrict lower = TAKE(work, int, n);
  if (table == NULL || low == NULL || high == NULL || share == NULL || lower == NULL) return TS_MEMORY;
  level_table(detail->points, n, table);
  for (size_t row = 0; row < rows; row++) {
    float *restrict db = levels->db + row * n;
    for (size_t i = 0; i < n; i++) db[i] += gain;
    level_knots(db, n, floor, lower, share);
    for (size_t i = 0; i < n; i++) { /* a look-up a cell: not by vectors */
      const float *at = table + (size_t)lower[i] * n + i;
      low[i] = at[0], high[i] = at[n];
    }
    for (size_t i = 0; i < n; i++) {
      float mapped = low[i] + share[i] * (high[i] - low[i]);
      db[i] = ((db[i] > ON_FLOOR_DB - floor) & (db[i] < 0.0f)) ? mapped : db[i];
    }
  }
  work->used = used;
  return TS_OK;
}
