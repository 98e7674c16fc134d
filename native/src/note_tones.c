/* Partials and lines of a note (render.py, oscillators.py). The sum of the partials is a polynomial in the phasor of the fundamental:
   sum_k a_k cos(k t + p_k) = Re(w (c_1 + w (c_2 + ...))), w = exp(i t), c_k = a_k exp(i p_k).                                        */
#include "lanes.h"
#include "note.h"

enum { BLOCK = 64, BATCH = 16 };                            /* samples in which a level is a straight line; rows of flutter at a time */
static const double LEAST = 3.1622776601683795e-5;          /* -90 dB under the loudest partial: left out */
static const double FLUTTER_HZ[2] = {1.0, 5.0}, DRAWN = 0.7; /* the band of flutter; of the flutter of a note, its noise adds the rest */
static const double NEPER = 0.11512925464970229;            /* ln(10) / 20: a decibel */
static const F8 UP = {0, 1, 2, 3, 4, 5, 6, 7};

typedef struct {
  int rows, harmonics, frames;
  size_t stride;  /* of rows, up to a multiple of 8 */
  float *level;   /* logarithms of amplitudes, [frame][stride] */
  float least;    /* logarithm of the least amplitude */
  float *cosine, *sine; /* of the initial phases, [stride] */
} Tones;

/* The power over all bins of a partial of amplitude 2 in each frame; less where a frame reaches beyond the sound. */
static Status window_energy(const Note *note, int frames, int64_t samples, double *energy, Arena *work) {
  const View *view = &note->view;
  const int64_t n = view->n_fft, half = n / 2;
  double *sums = TAKE(work, double, n + 1);
  if (sums == NULL) return TS_MEMORY;
  sums[0] = 0.0;
  for (int64_t i = 0; i < n; i++) sums[i + 1] = sums[i] + (double)note->window[i] * note->window[i];
  for (int frame = 0; frame < frames; frame++) {
    int64_t centre = (int64_t)frame * view->hop, last = samples - centre + half, first = half - centre;
    last = last > 0 ? (last < n ? last : n) : 0, first = first > 0 ? (first < n ? first : n) : 0;
    double inside = sums[last] - sums[first];
    energy[frame] = (double)n * (inside > 1e-3 * sums[n] ? inside : 1e-3 * sums[n]);
  }
  return TS_OK;
}

/* Amplitudes of all rows as logarithms, transposed; loud: whether a row is ever over the least. Returns whether there is any sound. */
static int amplitudes(const NoteParts *parts, const double *energy, Tones *tones, int *loud) {
  float loudest = 0.0f;
  for (int row = 0; row < tones->rows; row++) {
    const float *power = parts->rows + (size_t)row * parts->columns;
    for (int frame = 0; frame < tones->frames; frame++) {
      float square = 4.0f * power[frame] / (float)energy[frame];
      loudest = square > loudest ? square : loudest;
      tones->level[(size_t)frame * tones->stride + (size_t)row] = square;
    }
  }
  if (!(loudest > 0.0f)) return 0;
  const float least = loudest * (float)(LEAST * LEAST) > 1e-37f ? loudest * (float)(LEAST * LEAST) : 1e-37f;
  tones->least = 0.5f * ts_logf(least);
  for (int row = 0; row < tones->rows; row++) loud[row] = 0;
  for (int frame = 0; frame < tones->frames; frame++) {
    float *level = tones->level + (size_t)frame * tones->stride;
    for (int row = 0; row < tones->rows; row++) {
      loud[row] |= level[row] > least;
      level[row] = level[row] > least ? level[row] : least;
    }
    for (size_t row = (size_t)tones->rows; row < tones->stride; row++) level[row] = least;
    ts_log_array(level, level, tones->stride);
    for (size_t row = 0; row < tones->stride; row++) level[row] *= 0.5f;
  }
  return 1;
}

/* Adds flutter to the rows that can be heard; every row has its place in the stream. */
static Status add_flutter(const Note *note, const Traits *traits, uint64_t seed, const int *loud, Tones *tones, Arena *work) {
  const size_t size = note_band_size(tones->frames);
  double *gain = TAKE(work, double, size / 2 + 1);
  float *scale = TAKE(work, float, size / 2 + 1), *drawn = TAKE(work, float, size * BATCH), *bins = TAKE(work, float, (size + 2) * BATCH);
  Fft *fft;
  if (gain == NULL || scale == NULL || drawn == NULL || bins == NULL) return TS_MEMORY;
  Status status = fft_open(&fft, size, work);
  if (status != TS_OK) return status;
  note_band(gain, size, (double)note->view.rate / note->view.hop, FLUTTER_HZ[0], FLUTTER_HZ[1]);
  for (size_t i = 0; i <= size / 2; i++) scale[i] = (float)(gain[i] * DRAWN * traits->flutter * NEPER);
  for (int row = 0; row < tones->rows;) {
    int rows[BATCH], count = 0;
    for (; row < tones->rows && count < BATCH; row++) {
      if (!loud[row]) continue;
      Noise noise;
      noise_open(&noise, seed, NOISE_NOTE, 1, 0, 0);
      noise.counter[0] += (uint64_t)row * (size / 4); /* a row is a whole number of blocks of four words */
      noise_normalf(&noise, drawn + (size_t)count * size, size);
      rows[count++] = row;
    }
    status = fft_forward(fft, drawn, bins, (size_t)count, work);
    if (status != TS_OK) return status;
    for (int i = 0; i < count; i++) {
      float *at = bins + (size_t)i * (size + 2);
      for (size_t k = 0; k <= size / 2; k++) at[2 * k] *= scale[k], at[2 * k + 1] *= scale[k];
    }
    status = fft_inverse(fft, bins, drawn, (size_t)count, work);
    if (status != TS_OK) return status;
    for (int frame = 0; frame < tones->frames; frame++) {
      float *level = tones->level + (size_t)frame * tones->stride;
      for (int i = 0; i < count; i++) level[rows[i]] += drawn[(size_t)i * size + (size_t)frame];
    }
  }
  return TS_OK;
}

/* Amplitudes of all rows at a point between frames, by Catmull-Rom splines of their logarithms; the ends are repeated. */
static void at_point(const Tones *tones, double place, float *out) {
  const int last = tones->frames - 1;
  int left = (int)place < last - 1 ? (int)place : last - 1;
  left = left > 0 ? left : 0;
  const double part = place - left;
  const float t = part < 1.0 ? (float)part : 1.0f;
  const float *row[4];
  for (int i = 0; i < 4; i++) {
    int frame = left + i - 1;
    row[i] = tones->level + (size_t)(frame > 0 ? (frame < last ? frame : last) : 0) * tones->stride;
  }
  for (size_t i = 0; i < tones->stride; i++) {
    const float a = row[0][i], b = row[1][i], c = row[2][i], d = row[3][i];
    out[i] = b + 0.5f * t * (c - a + t * (2.0f * a - 5.0f * b + 4.0f * c - d + t * (3.0f * (b - c) + d - a)));
  }
  ts_exp_array(out, out, tones->stride);
}

/* Adds `count` partials to the samples of one block. w: phasors of the fundamental. a: at both ends. */
static void add_partials(const Tones *tones, int count, const float *here, const float *next, const F8 *wr, const F8 *wi, F8 *out) {
  float c[MOST_PARTIALS][4];
  for (int k = 0; k < count; k++) {
    const float step = (next[k] - here[k]) / BLOCK;
    c[k][0] = here[k] * tones->cosine[k], c[k][1] = step * tones->cosine[k];
    c[k][2] = here[k] * tones->sine[k], c[k][3] = step * tones->sine[k];
  }
  for (int part = 0; part < BLOCK / LANES; part += 4) {
    const F8 r0 = wr[part], r1 = wr[part + 1], r2 = wr[part + 2], r3 = wr[part + 3];
    const F8 i0 = wi[part], i1 = wi[part + 1], i2 = wi[part + 2], i3 = wi[part + 3];
    const F8 n0 = UP + (float)(part * LANES), n1 = n0 + 8.0f, n2 = n0 + 16.0f, n3 = n0 + 24.0f;
    F8 x0 = {0}, x1 = {0}, x2 = {0}, x3 = {0}, y0 = {0}, y1 = {0}, y2 = {0}, y3 = {0};
#define TURN(n, x, y, r, i)                                    \
  {                                                            \
    const F8 turned = x * r - y * i + (first_c + n * step_c); \
    y = x * i + y * r + (first_s + n * step_s);               \
    x = turned;                                               \
  }
    for (int k = count - 1; k >= 0; k--) {
      const float first_c = c[k][0], step_c = c[k][1], first_s = c[k][2], step_s = c[k][3];
      TURN(n0, x0, y0, r0, i0)
      TURN(n1, x1, y1, r1, i1)
      TURN(n2, x2, y2, r2, i2)
      TURN(n3, x3, y3, r3, i3)
    }
#undef TURN
    F8 *at = out + part;
    at[0] += x0 * r0 - y0 * i0, at[1] += x1 * r1 - y1 * i1, at[2] += x2 * r2 - y2 * i2, at[3] += x3 * r3 - y3 * i3;
  }
}

static void add_line(const D8 *turns, double ratio, float cosine, float sine, float here, float next, F8 *out) {
  const float step = (next - here) / BLOCK;
  for (int part = 0; part < BLOCK / LANES; part++) {
    const D8 phase = turns[part] * ratio;
    F8 s, c;
    sincos_turns(&phase, &s, &c);
    out[part] += (here + (UP + (float)(part * LANES)) * step) * (c * cosine - s * sine);
  }
}

static Status sum_up(const Tones *tones, const Note *note, const NoteParts *parts, double hertz, const double *turns, int64_t samples,
                     float *audio, Arena *work) {
  const float audible = 2.0f * ts_expf(tones->least);
  float *here = TAKE(work, float, tones->stride), *next = TAKE(work, float, tones->stride);
  if (here == NULL || next == NULL) return TS_MEMORY;
  at_point(tones, 0.0, next);
  for (int64_t start = 0; start < samples; start += BLOCK) {
    float *swap = here;
    F8 out[BLOCK / LANES] = {{0}};
    here = next, next = swap;
    at_point(tones, (double)(start / BLOCK + 1) * BLOCK / note->view.hop, next);
    const int count = samples - start < BLOCK ? (int)(samples - start) : BLOCK;
    D8 phase[BLOCK / LANES];
    F8 sine[BLOCK / LANES], cosine[BLOCK / LANES];
    for (int i = 0; i < BLOCK; i++) phase[i / LANES][i % LANES] = i < count ? turns[start + i] : 0.0;
    int highest = tones->harmonics;
    while (highest > 0 && here[highest - 1] < audible && next[highest - 1] < audible) highest--;
    if (highest > 0) {
      for (int i = 0; i < BLOCK / LANES; i++) sincos_turns(phase + i, sine + i, cosine + i);
      add_partials(tones, highest, here, next, cosine, sine, out);
    }
    for (int i = 0; i < parts->lines; i++) {
      const int row = tones->harmonics + i;
      if (here[row] < audible && next[row] < audible) continue;
      add_line(phase, parts->place[i] / hertz, tones->cosine[row], tones->sine[row], here[row], next[row], out);
    }
    for (int i = 0; i < count; i++) audio[start + i] += out[i / LANES][i % LANES];
  }
  return TS_OK;
}

Status note_tones(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, const double *turns, int64_t samples,
                  uint64_t seed, float *audio, Arena *work) {
  const size_t used = work->used;
  Tones tones = {.rows = parts->partials + parts->lines, .harmonics = parts->partials, .frames = parts->frames};
  double angle[MOST_ROWS], *energy = TAKE(work, double, parts->frames);
  int loud[MOST_ROWS];
  tones.stride = ROUND_UP(tones.rows);
  tones.level = TAKE(work, float, tones.stride *(size_t)tones.frames);
  tones.cosine = TAKE(work, float, tones.stride), tones.sine = TAKE(work, float, tones.stride);
  if (energy == NULL || tones.level == NULL || tones.cosine == NULL || tones.sine == NULL) return TS_MEMORY;
  Status status = window_energy(note, parts->frames, samples, energy, work);
  if (status == TS_OK && amplitudes(parts, energy, &tones, loud)) {
    Noise noise;
    noise_open(&noise, seed, NOISE_NOTE, 0, 0, 0);
    noise_uniform(&noise, angle, (size_t)tones.rows);
    for (int row = 0; row < tones.rows; row++) {
      tones.cosine[row] = (float)ts_cos_turns(angle[row]), tones.sine[row] = (float)ts_sin_turns(angle[row]);
    }
    status = add_flutter(note, traits, seed, loud, &tones, work);
    if (status == TS_OK) status = sum_up(&tones, note, parts, hertz, turns, samples, audio, work);
  }
  work->used = used;
  return status;
}
