/* Sounds at any speed: band-limited interpolation with windowed sines (Smith and Gossett 1984, "A flexible sampling-rate conversion
   method"), Kaiser window. Faster than recorded, the kernel is longer and passes less, so that nothing is mirrored at half the rate. */
#include "lanes.h"
#include "player.h"

static const int32_t TAPS[KERNELS] = {16, 24, 32, 48, 64};
static const double CUTOFF[KERNELS] = {1.0, 1.0 / 1.5, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0}, BETA = 7.0;

/* The modified Bessel function of order 0, by its series. */
static double bessel(double x) {
  double sum = 1.0, term = 1.0;
  for (int k = 1; k < 40; k++) sum += term *= (x / (2.0 * k)) * (x / (2.0 * k));
  return sum;
}

static double sinc(double x) { return x == 0.0 ? 1.0 : ts_sin_turns(x / 2.0) / (3.14159265358979324 * x); }

static void fill_kernel(float *weights, int32_t taps, double cutoff) {
  double row[MOST_TAPS];
  for (int32_t phase = 0; phase <= PHASES; phase++) {
    double sum = 0.0;
    for (int32_t i = 0; i < taps; i++) {
      const double x = i - (taps / 2 - 1) - (double)phase / PHASES, edge = 2.0 * x / taps;
      row[i] = edge * edge < 1.0 ? sinc(cutoff * x) * bessel(BETA * ts_sqrt(1.0 - edge * edge)) : 0.0;
      sum += row[i];
    }
    for (int32_t i = 0; i < taps; i++) weights[phase * taps + i] = (float)(row[i] / sum);
  }
}

Status kernels_open(Kernel *kernels, Arena *arena) {
  for (int k = 0; k < KERNELS; k++) {
    float *weights = TAKE(arena, float, TAPS[k] * (PHASES + 1));
    if (weights != NULL) fill_kernel(weights, TAPS[k], CUTOFF[k]);
    kernels[k] = (Kernel){TAPS[k], weights};
  }
  return kernels[KERNELS - 1].weights == NULL ? TS_MEMORY : TS_OK;
}

static inline float between(const float *samples, int64_t length, int64_t position, const float *weights, int32_t taps) {
  const int64_t first = (position >> 32) - (taps / 2 - 1);
  const uint32_t part = (uint32_t)position;
  const float *low = weights + (size_t)(part >> 24) * (size_t)taps, *from;
  const F8 share = all8((float)(part & 0xFFFFFF) * 0x1p-24f);
  float edge[MOST_TAPS];
  if (first < 0 || first + taps > length) { /* silence beyond both ends */
    for (int32_t i = 0; i < taps; i++) edge[i] = first + i >= 0 && first + i < length ? samples[first + i] : 0.0f;
    from = edge;
  } else {
    from = samples + first;
  }
  F8 sum = {0};
  for (int32_t i = 0; i < taps; i += LANES) {
    const F8 a = load8(low + i), b = load8(low + taps + i);
    sum += load8(from + i) * (a + share * (b - a));
  }
  return sum8(sum);
}

static void read_channel(const Voice *voice, const float *samples, const Kernel *kernel, int32_t count, float *out) {
  const int64_t place = (int64_t)((uint64_t)voice->place + (uint64_t)voice->n * (uint64_t)voice->step), one = INT64_C(1) << 32;
  if ((uint32_t)voice->place == 0 && (voice->step == one || voice->step == -one)) { /* as it is */
    const float *from = samples + (place >> 32);
    const int32_t step = voice->step > 0 ? 1 : -1;
    if (step == 1)
      for (int32_t i = 0; i < count; i++) out[i] = from[i];
    else
      for (int32_t i = 0; i < count; i++) out[i] = from[-i];
    return;
  }
  if (kernel->taps == 16)
    for (int32_t i = 0; i < count; i++) out[i] = between(samples, voice->length, place + i * voice->step, kernel->weights, 16);
  else
    for (int32_t i = 0; i < count; i++) out[i] = between(samples, voice->length, place + i * voice->step, kernel->weights, kernel->taps);
}

void voice_read(const Voice *voice, const Kernel *kernels, int32_t count, float *out, float *other) {
  const float *samples = atomic_load_explicit(&voice->samples, memory_order_relaxed);
  read_channel(voice, samples, kernels + voice->kernel, count, out);
  if (voice->channels == 2) read_channel(voice, samples + voice->length, kernels + voice->kernel, count, other);
}
