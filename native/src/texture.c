/* The noise texture of new sounds: quiet cells are expanded downwards, noisy ones fluctuate as white noise does (synthesis/texture.py). */
#include "detail.h"
#include "simd.h"
#include "view.h"

static const float KNEE_DB = -60.0f, RATIO = 2.0f, DEEPEST_DB = -20.0f, SILENCE = 1e-12f;
enum { BATCH = 8 }; /* frames that are transformed at a time */

struct Texture {
  View view;
  Fft *fft;
  const float *window;
};

Status texture_open(Texture **out, const File *file, Arena *arena) {
  Texture *texture = TAKE(arena, Texture, 1);
  if (texture == NULL) return TS_MEMORY;
  Status status = view_open(&texture->view, file, arena);
  if (status == TS_OK) status = fft_open(&texture->fft, (size_t)texture->view.n_fft, arena);
  if (status != TS_OK) return status;
  texture->window = view_window(&texture->view, arena);
  if (texture->window == NULL) return TS_MEMORY;
  *out = texture;
  return TS_OK;
}

/* Power of noise in bands, [frame][band], eight frames at a time. noise: half a window of zeros before it, and windows of zeros behind. */
static void band_powers(const Texture *texture, const float *noise, size_t frames, float *lanes, float *bins, float *out) {
  const View *view = &texture->view;
  const size_t n = (size_t)view->bands;
  for (size_t first = 0; first < frames; first += BATCH) {
    const size_t count = frames - first < BATCH ? frames - first : BATCH;
    lanes_gather(noise + first * (size_t)view->hop, (size_t)view->hop, texture->window, lanes, (size_t)view->n_fft);
    fft_forward_lanes(texture->fft, lanes, bins);
    for (size_t band = 0; band < n; band++) {
      const size_t low = (size_t)view->edges[band], high = (size_t)view->edges[band + 1];
      F8 sum = all8(0.0f);
      for (size_t i = low; i < high; i++) {
        const F8 re = load8(bins + 16 * i), im = load8(bins + 16 * i + 8);
        sum += re * re + im * im;
      }
      sum /= (float)(high - low);
      for (size_t k = 0; k < count; k++) out[(first + k) * n + band] = sum[k];
    }
  }
}

/* White noise of all channels, middle and side of two, with half a window of zeros at both ends: [part][stride]. */
static Status white_noise(uint64_t seed, size_t samples, size_t parts, size_t half, size_t stride, float *out, Arena *work) {
  const size_t used = work->used;
  float *drawn = TAKE(work, float, parts * samples);
  Noise noise;
  if (drawn == NULL) return TS_MEMORY;
  noise_open(&noise, seed, NOISE_GRAIN, 0, 0, 0);
  noise_normalf(&noise, drawn, parts * samples);
  for (size_t i = 0; i < parts * stride; i++) out[i] = 0.0f;
  for (size_t i = 0; i < samples; i++) {
    const float left = drawn[i], right = drawn[(parts - 1) * samples + i];
    out[half + i] = parts == 1 ? left : (left + right) / 2.0f;
    if (parts == 2) out[stride + half + i] = (left - right) / 2.0f;
  }
  work->used = used;
  return TS_OK;
}

/* Powers of noise `n` to levels in dB under their mean. least: power of the floor. */
static void to_grain(float *power, size_t n, float least) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) {
    power[i] = power[i] > least ? power[i] : least;
    sum += power[i];
  }
  const float mean = 10.0f * ts_log10f((float)(sum / (double)n)), per_log = 4.3429448f;
  ts_log_array(power, power, n);
  for (size_t i = 0; i < n; i++) {
    float level = power[i] * per_log - mean;
    power[i] = level > DEEPEST_DB ? level : DEEPEST_DB;
  }
}

/* Levels of white noise under their mean power in dB, [part][frame][band]. */
static Status grain_of(const Texture *texture, uint64_t seed, size_t samples, const Levels *levels, float *out, Arena *work) {
  const View *view = &texture->view;
  const size_t used = work->used, size = (size_t)view->n_fft, frames = (size_t)levels->frames, parts = (size_t)levels->parts;
  const size_t stride = (frames + BATCH - 2) * (size_t)view->hop + size, cells = frames * (size_t)levels->bands;
  float *noise = TAKE(work, float, stride * parts), *lanes = TAKE(work, float, BATCH * size), *bins = TAKE(work, float, BATCH * (size + 2));
  if (noise == NULL || lanes == NULL || bins == NULL) return TS_MEMORY;
  Status status = white_noise(seed, samples, parts, size / 2, stride, noise, work);
  if (status != TS_OK) return status;
  for (size_t k = 0; k < parts; k++) band_powers(texture, noise + k * stride, frames, lanes, bins, out + k * cells);
  float least = row_largest(out, cells * parts) * (float)ts_pow10(-view->floor / 10.0);
  least = least > SILENCE ? least : SILENCE;
  for (size_t k = 0; k < parts; k++) to_grain(out + k * cells, cells, least);
  work->used = used;
  return TS_OK;
}

Status texture_add(const Texture *texture, uint64_t seed, int64_t samples, Levels *levels, Arena *work) {
  const View *view = &texture->view;
  const size_t used = work->used, n = (size_t)levels->bands, rows = (size_t)levels->parts * (size_t)levels->frames;
  if (samples < 1 || levels->bands != view->bands || levels->parts != view->channels || levels->frames != 1 + samples / view->hop)
    return TS_ARGUMENT;
  float *grain = TAKE(work, float, rows * n), *padded = TAKE(work, float, 3 * n + 2 * NOISY_REACH), *expanded, *noisy;
  if (grain == NULL || padded == NULL) return TS_MEMORY;
  expanded = padded + n + 2 * NOISY_REACH, noisy = expanded + n;
  Status status = grain_of(texture, seed, (size_t)samples, levels, grain, work);
  if (status != TS_OK) return status;
  const float floor = -(float)view->floor;
  for (size_t row = 0; row < rows; row++) {
    float *restrict db = levels->db + row * n;
    const float *restrict own = grain + row * n;
    for (size_t i = 0; i < n; i++) {
      float under = KNEE_DB - db[i];
      expanded[i] = db[i] - (RATIO - 1.0f) * (under > 0.0f ? under : 0.0f);
    }
    level_noisiness(expanded, n, padded, noisy);
    for (size_t i = 0; i < n; i++) db[i] = db[i] > floor + 1.0f ? expanded[i] + noisy[i] * own[i] : floor;
  }
  const float most = row_largest(levels->db, rows * n);
  for (size_t i = 0; i < rows * n; i++) {
    float level = levels->db[i] - most;
    levels->db[i] = level > floor ? level : floor;
  }
  work->used = used;
  return TS_OK;
}

size_t texture_work_size(const Texture *texture, int64_t samples) {
  const View *view = &texture->view;
  const size_t size = (size_t)view->n_fft, n = (size_t)view->bands, frames = 1 + (size_t)(samples / view->hop), parts = (size_t)view->channels;
  const size_t noise = parts * ((frames + BATCH) * (size_t)view->hop + size + (size_t)samples), transform = 2 * BATCH * (size + 2);
  return (parts * frames * n + 3 * n + 2 * NOISY_REACH + noise + transform) * sizeof(float) + 16 * 64;
}
