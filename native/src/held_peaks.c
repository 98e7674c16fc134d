/* The tonal peaks of a spectrum, and the noise between them. */
#include "held.h"

static const float PLAIN = 2.0f, CLEAR = 4.0f;   /* a peak this many times its valleys is noise, and a tone; between them, a part of each */
static const float SURE = 0.15f, NEAR = 0.3f;    /* bins: this near to a harmonic of the pitch a peak is moved to it, and moved less */
static const float LEAK = 0.03f;                 /* of a peak three bins away: window functions have it, so it is no noise */
enum { MOST = TS_BINS / 2, REACH = 64, BLOCK = 32, BLOCKS = TS_BINS / BLOCK + 1 };

static float at(const float *x, int32_t bins, int32_t i) {
  i = i < 0 ? -i : i;
  return i < bins ? x[i] : 0.0f;
}

/* A valley of three bins: between the least and the middle one of them, as one alone may be small by chance; or the least. */
static float valley(float a, float b, float c, int least) {
  const float low = a < b ? a : b, high = a < b ? b : a;
  const float first = c < low ? c : low, second = c < low ? low : c > high ? high : c;
  return least ? first : ts_sqrtf(first * second);
}

/* The part of a peak that is a tone, from its valleys on both sides. At a harmonic, whose neighbours may be near, narrow ones count. */
static float tonal(const float *x, int32_t bins, int32_t i, int harmonic) {
  const float low = valley(at(x, bins, i - 2), at(x, bins, i - 3), at(x, bins, i - 4), harmonic);
  const float high = valley(at(x, bins, i + 2), at(x, bins, i + 3), at(x, bins, i + 4), harmonic);
  const float deep = low > high ? low : high, over = x[i] - PLAIN * deep, whole = (CLEAR - PLAIN) * deep;
  return over <= 0.0f ? 0.0f : over >= whole ? 1.0f : over / whole;
}

/* A sine x bins away, of a window a + (1 - a) cos, whose noise bandwidth tells what a is. */
static double lobe_at(double x, double bandwidth) {
  const double other = 1.0 - ts_sqrt(2.0 * (bandwidth > 1.0 ? bandwidth - 1.0 : 0.0)), square = x * x;
  const double sine = square < 1e-12 ? 1.0 : ts_sin_turns(x / 2.0) / (3.14159265358979324 * x);
  const double result = square == 1.0 ? 0.5 * (1.0 - other) : sine * (1.0 - other * square) / (1.0 - square);
  return result < 0.0 ? -result : result;
}

void lobe_of(Lobe *lobe, float bandwidth) {
  lobe->bandwidth = bandwidth;
  for (int32_t i = 0; i < OFFSETS; i++) {
    const double x = 0.5 * i / (OFFSETS - 1), level = lobe_at(x, bandwidth);
    const double a = ts_log(lobe_at(1.0 + x, bandwidth) / level + 1e-5), c = ts_log(lobe_at(1.0 - x, bandwidth) / level + 1e-5);
    lobe->top[i] = a + c < 0.0 ? (float)(0.5 * (a - c) / (a + c)) : (float)x, lobe->level[i] = (float)level;
  }
}

/* The place of a peak, by a parabola through the logarithms of three bins and what that finds for a sine; returns the amplitude. */
static float top(const float *x, int32_t bins, int32_t i, const Lobe *lobe, float *place) {
  const float below = at(x, bins, i - 1) / x[i], above = at(x, bins, i + 1) / x[i];
  const float a = ts_logf(below + 1e-5f), c = ts_logf(above + 1e-5f), found = a + c < 0.0f ? 0.5f * (a - c) / (a + c) : 0.0f;
  const float size = found < 0.0f ? -found : found;
  int32_t k = 1;
  while (k < OFFSETS - 1 && lobe->top[k] < size) k++;
  const float wide = lobe->top[k] - lobe->top[k - 1];
  float part = wide > 0.0f ? (size - lobe->top[k - 1]) / wide : 0.0f;
  part = part < 0.0f ? 0.0f : part > 1.0f ? 1.0f : part;
  const float away = 0.5f * ((float)(k - 1) + part) / (OFFSETS - 1), level = lobe->level[k - 1] + part * (lobe->level[k] - lobe->level[k - 1]);
  *place = (float)i + (found < 0.0f ? -away : away);
  return x[i] / level;
}

/* Moves a place to a harmonic nearby; returns whether it is at one. */
static int to_harmonic(float *place, float pitch) {
  const float number = ts_floorf(*place / pitch + 0.5f), away = *place - number * pitch, size = away < 0.0f ? -away : away;
  if (number < 1.0f || pitch < 2.5f || size >= NEAR) return 0; /* closer harmonics are one in the spectrum */
  *place = size <= SURE ? number * pitch : *place - away * (NEAR - size) / (NEAR - SURE);
  return size <= SURE;
}

/* The amplitude that at most PEAKS peaks exceed. */
static float threshold(const float *amplitudes, int32_t count) {
  float low = 0.0f, high = 0.0f;
  for (int32_t i = 0; i < count; i++) high = amplitudes[i] > high ? amplitudes[i] : high;
  for (int k = 0; count > PEAKS && k < 24; k++) {
    const float middle = 0.5f * (low + high);
    int32_t over = 0;
    for (int32_t i = 0; i < count; i++) over += amplitudes[i] > middle;
    if (over > PEAKS)
      low = middle;
    else
      high = middle;
  }
  return count > PEAKS ? high : -1.0f;
}

/* What the analysis window spreads of a peak: less the further away, which is added up near it bin by bin, and further by blocks. */
static void add_leak(float *leak, int32_t bins, int32_t centre, float amplitude) {
  for (int32_t d = 3; d <= REACH; d++) {
    const float size = amplitude * LEAK * 3.0f / (float)d;
    if (centre - d >= 0) leak[centre - d] += size;
    if (centre + d < bins) leak[centre + d] += size;
  }
}

static void add_far_leaks(float *leak, int32_t bins, const float *sums) {
  for (int32_t block = 0; block * BLOCK < bins; block++) {
    float size = 0.0f;
    for (int32_t other = 0; other * BLOCK < bins; other++) {
      const int32_t away = other > block ? other - block : block - other;
      if (away > 1) size += sums[other] * LEAK * 3.0f / (float)(BLOCK * away - BLOCK / 2);
    }
    for (int32_t i = block * BLOCK; i < bins && i < (block + 1) * BLOCK; i++) leak[i] += size;
  }
}

int32_t find_peaks(const float *magnitudes, int32_t bins, float pitch, const Lobe *lobe, float *places, float *amplitudes, float *levels) {
  float place[MOST], amplitude[MOST], part[MOST], leak[TS_BINS], sums[BLOCKS] = {0};
  int32_t centre[MOST], count = 0, kept = 0;
  for (int32_t i = 0; i < bins; i++) levels[i] = magnitudes[i], leak[i] = 0.0f;
  for (int32_t i = 1; i < bins - 1 && count < MOST; i++) {
    const float x = magnitudes[i];
    if (!(x > 1e-9f) || x <= magnitudes[i - 1] || x < magnitudes[i + 1]) continue;
    if (x < at(magnitudes, bins, i - 2) || x < at(magnitudes, bins, i + 2)) continue;
    const float whole = top(magnitudes, bins, i, lobe, place + count);
    part[count] = tonal(magnitudes, bins, i, to_harmonic(place + count, pitch));
    amplitude[count] = part[count] * whole, centre[count] = i;
    count += part[count] > 0.0f;
  }
  const float over = threshold(amplitude, count);
  for (int32_t k = 0; k < count; k++) {
    if (amplitude[k] <= over) continue;
    places[kept] = place[k], amplitudes[kept] = amplitude[k], kept++;
    for (int32_t i = centre[k] - 2; i <= centre[k] + 2; i++)
      if (i >= 0 && i < bins) levels[i] *= 1.0f - part[k];
    add_leak(leak, bins, centre[k], amplitude[k]);
    sums[centre[k] / BLOCK] += amplitude[k];
  }
  add_far_leaks(leak, bins, sums);
  for (int32_t i = 0; i < bins; i++) {
    const float over_leak = levels[i] - leak[i];
    levels[i] = over_leak <= 0.0f ? 0.0f : over_leak >= leak[i] ? levels[i] : levels[i] * over_leak / leak[i];
  }
  return kept;
}
