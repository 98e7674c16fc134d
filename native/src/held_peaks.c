/* The tonal peaks of a spectrum, and the noise between them. */
#include "held.h"

static const float PLAIN = 2.0f, CLEAR = 4.0f;   /* a peak this many times its valleys is noise, and a tone; between them, a part of each */
static const float SURE = 0.25f, NEAR = 0.5f;    /* bins: this near to a harmonic of the pitch a peak is moved to it, and moved less */
static const float LEAK = 0.03f;                 /* of a peak three bins away: window functions have it, so it is no noise */
enum { MOST = TS_BINS / 2, REACH = 48 };

static float at(const float *x, int32_t bins, int32_t i) {
  i = i < 0 ? -i : i;
  return i < bins ? x[i] : 0.0f;
}

static float least(float a, float b) { return a < b ? a : b; }

/* The part of a peak that is a tone, from its valleys on both sides. */
static float tonal(const float *x, int32_t bins, int32_t i) {
  const float low = least(least(at(x, bins, i - 2), at(x, bins, i - 3)), at(x, bins, i - 4));
  const float high = least(least(at(x, bins, i + 2), at(x, bins, i + 3)), at(x, bins, i + 4));
  const float valley = low > high ? low : high, over = x[i] - PLAIN * valley, whole = (CLEAR - PLAIN) * valley;
  return over <= 0.0f ? 0.0f : over >= whole ? 1.0f : over / whole;
}

/* A parabola through the logarithms of three bins; returns the amplitude at its top, *place: where that is. */
static float top(const float *x, int32_t bins, int32_t i, float *place) {
  const float floor = 1e-5f * x[i], below = at(x, bins, i - 1), above = at(x, bins, i + 1);
  const float a = ts_logf((below > floor ? below : floor) / x[i]), c = ts_logf((above > floor ? above : floor) / x[i]), bend = a + c;
  const float away = bend < 0.0f ? 0.5f * (a - c) / bend : 0.0f;
  *place = (float)i + away;
  return x[i] * ts_expf(-0.25f * (a - c) * away);
}

static float at_harmonic(float place, float pitch) {
  const float number = ts_floorf(place / pitch + 0.5f), away = place - number * pitch, size = away < 0.0f ? -away : away;
  if (number < 1.0f || pitch < 2.5f || size >= NEAR) return place; /* closer harmonics are not told apart by the spectrum */
  return size <= SURE ? number * pitch : place - away * (NEAR - size) / (NEAR - SURE);
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

int32_t find_peaks(const float *magnitudes, int32_t bins, float pitch, float *places, float *amplitudes, float *levels) {
  float place[MOST], amplitude[MOST], part[MOST], leak[TS_BINS];
  int32_t centre[MOST], count = 0, kept = 0;
  for (int32_t i = 0; i < bins; i++) levels[i] = magnitudes[i], leak[i] = 0.0f;
  for (int32_t i = 1; i < bins - 1 && count < MOST; i++) {
    const float x = magnitudes[i];
    if (!(x > 1e-9f) || x <= magnitudes[i - 1] || x < magnitudes[i + 1]) continue;
    if (x < at(magnitudes, bins, i - 2) || x < at(magnitudes, bins, i + 2)) continue;
    part[count] = tonal(magnitudes, bins, i);
    if (part[count] == 0.0f) continue;
    amplitude[count] = part[count] * top(magnitudes, bins, i, place + count), centre[count] = i;
    place[count] = at_harmonic(place[count], pitch);
    count++;
  }
  const float over = threshold(amplitude, count);
  for (int32_t k = 0; k < count; k++) {
    if (amplitude[k] <= over) continue;
    places[kept] = place[k], amplitudes[kept] = amplitude[k], kept++;
    for (int32_t i = centre[k] - 2; i <= centre[k] + 2; i++)
      if (i >= 0 && i < bins) levels[i] *= 1.0f - part[k];
    for (int32_t d = 3; d <= REACH; d++) {
      const float size = amplitude[k] * LEAK * 3.0f / (float)d;
      if (centre[k] - d >= 0) leak[centre[k] - d] += size;
      if (centre[k] + d < bins) leak[centre[k] + d] += size;
    }
  }
  for (int32_t i = 0; i < bins; i++) {
    const float over_leak = levels[i] - leak[i];
    levels[i] = over_leak <= 0.0f ? 0.0f : over_leak >= leak[i] ? levels[i] : levels[i] * over_leak / leak[i];
  }
  return kept;
}
