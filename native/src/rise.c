/* Makes the envelope of a new sound rise as fast as that of real ones (detail_model/rise.py, audio/descriptors.py). */
#include "rise.h"
#include "view.h"

static const double LATEST_SECONDS = 0.2, SWELL_SECONDS = 0.04; /* of the peak; of a rise that is left as it is */
static const float LEAST_RATIO = 0.3f, LEAST_MS = 0.1f;
enum { MOST_WIDTH = 64 };

struct Rise {
  int rate;
  size_t most, step, width; /* samples that are looked at; a step of the envelope; steps that smooth it */
  float window[MOST_WIDTH];
  Smooth smooth;
};

static size_t transform_size(size_t samples, int rate) {
  return smooth_size((samples + (size_t)round_half_even(0.02 * rate)) / 2 + 1);
}

Status rise_open(Rise **out, int rate, Arena *arena) {
  Rise *rise = TAKE(arena, Rise, 1);
  if (rise == NULL) return TS_MEMORY;
  *rise = (Rise){.rate = rate, .most = (size_t)round_half_even(2 * LATEST_SECONDS * rate)};
  rise->step = rate >= 8000 ? (size_t)(rate / 4000) : 1;
  rise->width = (size_t)round_half_even(0.003 * rate / (double)rise->step) | 1;
  if (rise->width > MOST_WIDTH) return TS_UNCOVERED;
  float sum = 0.0f;
  for (size_t i = 0; i < rise->width; i++) {
    rise->window[i] = (float)(0.5 - 0.5 * ts_cos_turns((double)(i + 1) / (double)(rise->width + 1)));
    sum += rise->window[i];
  }
  for (size_t i = 0; i < rise->width; i++) rise->window[i] /= sum;
  *out = rise;
  return smooth_open(&rise->smooth, transform_size(rise->most, rate), arena);
}

/* The first sample that is loudest in any channel. */
static size_t peak_place(const float *audio, int channels, size_t samples) {
  float most = -1.0f;
  size_t place = 0;
  for (int k = 0; k < channels; k++) {
    const float *x = audio + (size_t)k * samples;
    float found = 0.0f;
    for (size_t i = 0; i < samples; i += 256) { /* first the loudest stretch, then the place in it */
      float lanes[8] = {0.0f};
      size_t n = samples - i < 256 ? samples - i : 256, j = 0;
      for (; j + 8 <= n; j += 8)
        for (size_t l = 0; l < 8; l++) {
          float size = __builtin_fabsf(x[i + j + l]);
          lanes[l] = size > lanes[l] ? size : lanes[l];
        }
      for (; j < n; j++) lanes[0] = __builtin_fabsf(x[i + j]) > lanes[0] ? __builtin_fabsf(x[i + j]) : lanes[0];
      for (size_t l = 0; l < 8; l++) found = lanes[l] > found ? lanes[l] : found;
    }
    if (found < most) continue;
    size_t at = 0;
    while (at < samples && !(__builtin_fabsf(x[at]) >= found)) at++;
    if (found > most || at < place) most = found, place = at;
  }
  return place;
}

/* The envelope of the first samples in steps of `rise->step`; *out: one value a step. Returns their number, 0 where memory is short. */
static size_t envelope_of(const Rise *rise, const float *audio, int channels, size_t samples, float **out, Arena *work) {
  const size_t n = samples < rise->most ? samples : rise->most, steps = (n + rise->step - 1) / rise->step, reach = rise->width / 2;
  float *mono = TAKE(work, float, n), *blocks = TAKE(work, float, steps + 2 * reach);
  *out = TAKE(work, float, steps);
  if (mono == NULL || blocks == NULL || *out == NULL) return 0;
  __builtin_memcpy(mono, audio, n * sizeof *mono);
  for (int k = 1; k < channels; k++)
    for (size_t i = 0; i < n; i++) mono[i] += audio[(size_t)k * samples + i];
  for (size_t i = 0; i < n && channels > 1; i++) mono[i] /= (float)channels;
  Smooth own = rise->smooth;
  if (n < rise->most && smooth_open(&own, transform_size(n, rise->rate), work) != TS_OK) return 0;
  if (smooth_envelope(&own, mono, n, work) != TS_OK) return 0;
  for (size_t i = 0; i < steps + 2 * reach; i++) {
    float sum = 0.0f;
    if (i >= reach && i < steps + reach)
      for (size_t k = (i - reach) * rise->step; k < (i - reach + 1) * rise->step && k < n; k++) sum += mono[k];
    blocks[i] = sum / (float)rise->step;
  }
  for (size_t i = 0; i < steps; i++) {
    float sum = 0.0f;
    for (size_t k = 0; k < rise->width; k++) sum += rise->window[k] * blocks[i + k];
    (*out)[i] = sum;
  }
  return steps;
}

static float log_ms(float seconds) {
  float ms = 1000.0f * seconds;
  return (float)ts_log2(ms > LEAST_MS ? ms : LEAST_MS);
}

/* A rise time in s as real sounds of the same rank have it. */
static double mapped(double seconds, const float *rendered, const float *real) {
  const float value = log_ms((float)seconds);
  int upper = 0;
  while (upper < RISES && rendered[upper] < value) upper++;
  upper = upper < 1 ? 1 : upper > RISES - 1 ? RISES - 1 : upper;
  float span = rendered[upper] - rendered[upper - 1];
  span = span > 1e-6f ? span : 1e-6f;
  float share = (value - rendered[upper - 1]) / span, low = real[upper - 1] - rendered[upper - 1], high = real[upper] - rendered[upper];
  share = share > 0.0f ? (share < 1.0f ? share : 1.0f) : 0.0f;
  double ratio = ts_exp2(low + share * (high - low));
  ratio = ratio < 1.0 ? ratio : 1.0;
  return seconds * (ratio > LEAST_RATIO ? ratio : (double)LEAST_RATIO);
}

/* Gains `(high + 1)` of at most 1 that compress the envelope before step `high` in time. */
static void gains_of(const float *size, size_t high, double ratio, float *gain, float *rising) {
  rising[0] = size[0];
  for (size_t i = 1; i <= high; i++) rising[i] = size[i] > rising[i - 1] ? size[i] : rising[i - 1];
  for (size_t i = 0; i <= high; i++) {
    float earlier = (float)high - (float)(high - i) * (float)ratio;
    float limited = earlier > 0.0f ? earlier : 0.0f;
    size_t lower = (size_t)limited < high - 1 ? (size_t)limited : high - 1;
    float share = earlier - (float)lower;
    share = share > 0.0f ? (share < 1.0f ? share : 1.0f) : 0.0f;
    float target = earlier >= 0.0f ? rising[lower] + share * (rising[lower + 1] - rising[lower]) : 0.0f;
    float value = target / (rising[i] > 1e-9f ? rising[i] : 1e-9f);
    gain[i] = value > 0.0f ? (value < 1.0f ? value : 1.0f) : 0.0f;
  }
}

/* Multiplies the samples before step `high` by gains, and cuts what is silenced, with zeros at the end. */
static void apply(const Rise *rise, const float *gain, size_t high, float *audio, int channels, size_t samples) {
  const size_t step = rise->step, count = high * step < samples ? high * step : samples;
  size_t silent = count;
  for (size_t i = 0; i < count; i++) {
    float position = (float)i / (float)step;
    size_t first = (size_t)position < high - 1 ? (size_t)position : high - 1;
    float curve = gain[first] + (position - (float)first) * (gain[first + 1] - gain[first]);
    if (curve > 1e-3f && silent == count) silent = i;
    for (int k = 0; k < channels; k++) audio[(size_t)k * samples + i] *= curve;
  }
  silent = silent == count ? 0 : silent;
  const size_t before = (size_t)round_half_even(0.001 * rise->rate), cut = silent > before ? silent - before : 0;
  for (int k = 0; k < channels && cut > 0; k++) {
    float *x = audio + (size_t)k * samples;
    __builtin_memmove(x, x + cut, (samples - cut) * sizeof *x);
    for (size_t i = samples - cut; i < samples; i++) x[i] = 0.0f;
  }
}

Status rise_sharpen(const Rise *rise, const float *rises, float *audio, int channels, int64_t samples, Arena *work) {
  if (channels < 1 || samples < 1) return TS_ARGUMENT;
  const size_t n = (size_t)samples, used = work->used;
  if ((double)peak_place(audio, channels, n) > LATEST_SECONDS * rise->rate) return TS_OK;
  float *size;
  const size_t steps = envelope_of(rise, audio, channels, n, &size, work);
  if (steps == 0) return TS_MEMORY;
  const float most = row_largest(size, steps), nine = (float)(0.9 * (double)most), one = (float)(0.1 * (double)most);
  size_t high = 0, low = 0;
  while (high < steps - 1 && !(size[high] >= nine)) high++;
  while (low < steps - 1 && !(size[low] >= one)) low++;
  const double found = (double)(high - low) * (double)rise->step / rise->rate;
  const double wanted = mapped(found, rises, rises + RISES);
  Status status = TS_OK;
  if (most > 0.0f && high >= 2 && found > 0.0 && found <= SWELL_SECONDS && wanted <= 0.97 * found) {
    float *gain = TAKE(work, float, 2 * (high + 1));
    if (gain == NULL) {
      status = TS_MEMORY;
    } else {
      gains_of(size, high, found / wanted, gain, gain + high + 1);
      apply(rise, gain, high, audio, channels, n);
    }
  }
  work->used = used;
  return status;
}

size_t rise_work_size(const Rise *rise) {
  const size_t half = rise->smooth.n; /* a shorter sound has a transform of its own */
  return (4 * rise->most + 14 * half + 64 * (rise->smooth.first + rise->smooth.second) + 8 * MOST_WIDTH) * sizeof(float) + 16 * 64;
}
