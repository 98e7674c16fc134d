/* Momentary loudness (audio/loudness.py). */
#include "finish.h"
#include "view.h"

static const double WINDOW = 0.4, STEP = 0.01, OFFSET = -0.691; /* s, s, dB */

/* The K filter: a shelf of 4 dB over 1.7 kHz, then a high-pass at 38 Hz; analogue filters of the standard by bilinear transform. */
void k_weighting(double rate, Biquad out[2]) {
  double turns = 1681.974450955533 / rate / 2.0, k = ts_sin_turns(turns) / ts_cos_turns(turns), quality = 0.7071752369554196;
  double high = ts_pow10(3.999843853973347 / 20.0), middle = ts_pow10(0.4996667741545416 * 3.999843853973347 / 20.0);
  double norm = 1.0 + k / quality + k * k;
  out[0] = (Biquad){(high + middle * k / quality + k * k) / norm, 2.0 * (k * k - high) / norm, (high - middle * k / quality + k * k) / norm,
                    2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm};
  turns = 38.13547087602444 / rate / 2.0, k = ts_sin_turns(turns) / ts_cos_turns(turns), quality = 0.5003270373238773;
  norm = 1.0 + k / quality + k * k;
  out[1] = (Biquad){1.0, -2.0, 1.0, 2.0 * (k * k - 1.0) / norm, (1.0 - k / quality + k * k) / norm};
}

Status loudest_loudness(const double *wave, int channels, size_t stride, size_t samples, int rate, double *out, Arena *work) {
  const size_t used = work->used, window = (size_t)round_half_even(WINDOW * rate), found = (size_t)round_half_even(STEP * rate);
  const size_t hop = found > 1 ? found : 1, n = samples > window ? samples : window;
  double *running = TAKE(work, double, n + 1), *one = TAKE(work, double, n), most = 0.0;
  Biquad filters[2];
  if (running == NULL || one == NULL) return TS_MEMORY;
  k_weighting(rate, filters);
  for (size_t i = 0; i <= n; i++) running[i] = 0.0;
  for (int k = 0; k < channels; k++) {
    __builtin_memcpy(one, wave + (size_t)k * stride, samples * sizeof *one);
    for (size_t i = samples; i < n; i++) one[i] = 0.0;
    biquad_run(filters, one, n);
    biquad_run(filters + 1, one, n);
    for (size_t i = 0; i < n; i++) running[i + 1] += one[i] * one[i];
  }
  for (size_t i = 0; i < n; i++) running[i + 1] += running[i];
  for (size_t i = 0; i + window <= n; i += hop) {
    double power = running[i + window] - running[i];
    most = power > most ? power : most;
  }
  work->used = used;
  *out = most > 0.0 ? OFFSET + 10.0 * ts_log10(most / (double)window) : -1e9;
  return TS_OK;
}
