/* Magnitudes of bins from levels of bands, and the limits of the power of bands (views/bands.py, phase/projection.py). */
#include "phase.h"

static const float SILENCE_DB = -120.0f, MARGIN_DB = 3.0f;

INLINE F8 power8(F8 db) { return exp8(db * 0x1.d791c6p-3f); } /* 10^(db / 10) */

/* Levels of one frame, filled up to a multiple of 8 with `rest`, to power. */
static void power_of(const float *db, size_t n, float *out) {
  size_t whole = n / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) store8(out + i, power8(load8(db + i)));
  if (whole == n) return;
  float rest[8] = {0};
  memcpy(rest, db + whole, (n - whole) * sizeof *db);
  store8(rest, power8(load8(rest)));
  memcpy(out + whole, rest, (n - whole) * sizeof *db);
}

/* The magnitudes of one frame: levels linear in dB between the centres of bands, scaled to the power of each band, 0 on the floor. */
static float frame_magnitudes(const Phase *phase, const float *level, const float *power, float floor, float *bins, float *out) {
  const View *view = &phase->view;
  size_t n = (size_t)view->bins;
  for (size_t i = 0; i < n; i++) {
    const float *at = level + phase->upper[i];
    bins[i] = at[-1] * (1.0f - phase->share[i]) + at[0] * phase->share[i];
  }
  power_of(bins, n, out);
  for (int band = 0; band < view->bands; band++) {
    int first = view->edges[band], end = view->edges[band + 1];
    float sum = 0.0f;
    for (int i = first; i < end; i++) sum += out[i];
    float factor = power[band] * (float)(end - first) / (sum > 1e-20f ? sum : 1e-20f);
    for (int i = first; i < end; i++) out[i] *= factor;
  }
  float loudest = 0.0f;
  for (size_t i = 0; i < n; i++) {
    out[i] = bins[i] > floor ? __builtin_sqrtf(out[i]) : 0.0f;
    loudest = out[i] > loudest ? out[i] : loudest;
  }
  return loudest;
}

Status phase_target(const Phase *phase, const float *level, int frames, float loudest, Target *out, Arena *work) {
  const View *view = &phase->view;
  size_t bands = (size_t)view->bands, bins = (size_t)view->bins, groups = ((size_t)frames + LANE - 1) / LANE;
  out->frames = frames, out->groups = (int)groups, out->loudest = 0.0f;
  out->magnitude = TAKE(work, float, groups * LANE * bins);
  out->least = TAKE(work, float, groups * bands * LANE), out->most = TAKE(work, float, groups * bands * LANE);
  size_t used = work->used;
  float *power = TAKE(work, float, bands + 8), *between = TAKE(work, float, bins + 8);
  if (!out->magnitude || !out->least || !out->most || !power || !between) return TS_MEMORY;
  memset(out->least, 0, groups * bands * LANE * sizeof(float));
  memset(out->most, 0, groups * bands * LANE * sizeof(float));
  float floor = (float)((double)loudest - view->floor);
  floor = (floor > SILENCE_DB ? floor : SILENCE_DB) + MARGIN_DB;
  for (size_t t = 0; t < (size_t)frames; t++) {
    const float *row = level + t * bands;
    float *least = out->least + t / LANE * bands * LANE + t % LANE, *most = out->most + t / LANE * bands * LANE + t % LANE;
    power_of(row, bands, power);
    float peak = frame_magnitudes(phase, row, power, floor, between, out->magnitude + t * bins);
    out->loudest = peak > out->loudest ? peak : out->loudest;
    int sounds = 0; /* whether a cell of this frame is above the floor */
    for (size_t b = 0; b < bands; b++) sounds |= row[b] > floor;
    for (size_t b = 0; sounds && b < bands; b++) {
      float all = power[b] * (float)(view->edges[b + 1] - view->edges[b]);
      least[b * LANE] = row[b] > floor ? all : 0.0f; /* on the floor beside sound, a band may have up to its power */
      most[b * LANE] = all;
    }
  }
  memset(out->magnitude + (size_t)frames * bins, 0, (groups * LANE - (size_t)frames) * bins * sizeof(float));
  work->used = used;
  return TS_OK;
}
