/* What the latent of a note says of its steadiness (synthesis/harmonic/traits.py), and noise of a band for flutter and wander. */
#include "note.h"

static const double EDGES[ZONE_COUNT + 1] = {0, 400, 800, 1200, 1600, 2400, 3200, 4800, 6400, 9600, 12800, 22050};
static const double ATTACK_S = 0.05, SUSTAINED_S = 0.15, LEAST_FLUTTER = 0.05, LEAST_WANDER = 0.05;
static const double MOST_FLUTTER = 5.0, MOST_WANDER = 25.0, RATES[2] = {0.5, 12.0};
static const double WANDER_BAND = 0.35, MOST_DEVIATIONS = 3.0; /* of the rate; of the wander */

static double clamp(double x, double low, double high) { return x > low ? (x < high ? x : high) : low; } /* NaN: low */

static double measured(double logarithm, double least, double most) {
  return clamp(ts_exp(clamp(logarithm, -700.0, 5.0)) - least, 0.0, most);
}

Traits note_traits(const Note *note, const float *z) {
  double row[NOTE_COLUMNS];
  for (int i = 0; i < note->columns; i++) row[i] = 0.0;
  for (int k = 0; k < note->dims; k++)
    for (int i = 0; i < note->columns; i++) row[i] += (double)z[k] * (double)note->weights[(k + 1) * note->columns + i];
  for (int i = 0; i < note->columns; i++) row[i] += (double)note->weights[i];
  Traits traits;
  const double *attack = note->columns == NOTE_COLUMNS ? row + EARLIER_COLUMNS : row;
  for (int i = 0; i < ZONE_COUNT; i++) traits.noise[i] = clamp(row[i], -14.0, 0.0), traits.attack[i] = clamp(attack[i], -14.0, 0.0);
  traits.flutter = measured(row[FLUTTER_AT], LEAST_FLUTTER, MOST_FLUTTER);
  traits.wander = measured(row[WANDER_AT], LEAST_WANDER, MOST_WANDER);
  traits.rate = clamp(ts_exp(clamp(row[RATE_AT], -3.0, 5.0)), RATES[0], RATES[1]);
  return traits;
}

static double middle(int zone) {
  double low = EDGES[zone] > EDGES[1] / 2 ? EDGES[zone] : EDGES[1] / 2;
  return ts_log(ts_sqrt(low * EDGES[zone + 1]));
}

float note_zone(double hertz) {
  double place = ts_log(hertz > 1.0 ? hertz : 1.0), low = middle(0);
  if (place <= low) return 0.0f;
  for (int zone = 1; zone < ZONE_COUNT; zone++) {
    double high = middle(zone);
    if (place < high) return (float)(zone - 1 + (place - low) / (high - low));
    low = high;
  }
  return (float)(ZONE_COUNT - 1);
}

float note_share(const double *logarithms, float zone) {
  int at = (int)zone < ZONE_COUNT - 2 ? (int)zone : ZONE_COUNT - 2;
  double share = (double)zone - at;
  return (float)(logarithms[at] + share * (logarithms[at + 1] - logarithms[at]));
}

int note_frame(const NoteParts *parts, int frame) { return parts->number != NULL ? parts->number[frame] : frame; }

float note_attack(const Note *note, int number) {
  double seconds = (double)number * note->view.hop / note->view.rate;
  return (float)clamp((SUSTAINED_S - seconds) / (SUSTAINED_S - ATTACK_S), 0.0, 1.0);
}

size_t note_band_size(int frames) {
  size_t size = 256;
  while (size < 2 * (size_t)frames) size *= 2;
  return size;
}

void note_band(double *gain, size_t size, double rate, double centre, double spread) {
  double sum = 0.0;
  for (size_t i = 0; i <= size / 2; i++) {
    double away = ((double)i * rate / (double)size - centre) / spread;
    gain[i] = i == 0 || away * away > 1400.0 ? 0.0 : ts_exp(-0.5 * away * away);
    if (i < size / 2) sum += gain[i] * gain[i];
  }
  double scale = sum > 0.0 ? 1.0 / ts_sqrt(2.0 * sum / (double)size) : 0.0;
  for (size_t i = 0; i <= size / 2; i++) gain[i] *= scale;
}

/* A course of the pitch with the wander of a note, in cents, [frames] of [size]. */
static Status wander(const Note *note, const Traits *traits, int frames, uint64_t seed, double *cents, Arena *work) {
  const size_t used = work->used, size = note_band_size(frames);
  double *gain = TAKE(work, double, size / 2 + 1), *bins = TAKE(work, double, size + 2);
  Fft *fft;
  if (gain == NULL || bins == NULL) return TS_MEMORY;
  Status status = fft_open_double(&fft, size, work);
  if (status != TS_OK) return status;
  Noise noise;
  noise_open(&noise, seed, NOISE_NOTE, 2, 0, 0);
  noise_normal(&noise, cents, size);
  note_band(gain, size, (double)note->view.rate / note->view.hop, traits->rate, WANDER_BAND * traits->rate);
  status = fft_forward_double(fft, cents, bins, work);
  if (status != TS_OK) return status;
  for (size_t i = 0; i <= size / 2; i++) bins[2 * i] *= gain[i], bins[2 * i + 1] *= gain[i];
  status = fft_inverse_double(fft, bins, cents, work);
  if (status != TS_OK) return status;
  for (int i = 0; i < frames; i++) cents[i] = traits->wander * clamp(cents[i], -MOST_DEVIATIONS, MOST_DEVIATIONS);
  work->used = used;
  return TS_OK;
}

/* 2^(cents / 1200), for less than 100 cents: the error is under 1e-14. */
static inline double ratio_of(double cents) {
  const double x = cents * (0.69314718055994531 / 1200.0);
  return 1.0 + x * (1.0 + x * (1.0 / 2 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120 + x * (1.0 / 720))))));
}

Status note_turns(const Note *note, double hertz, const Traits *traits, int frames, int64_t samples, uint64_t seed, double *turns,
                  Arena *work) {
  const size_t used = work->used;
  const int hop = note->view.hop;
  double *cents = TAKE(work, double, note_band_size(frames));
  if (cents == NULL) return TS_MEMORY;
  Status status = wander(note, traits, frames, seed, cents, work);
  if (status != TS_OK) return status;
  const double step = hertz / note->view.rate;
  for (int frame = 0; frame < frames; frame++) {
    const int64_t first = (int64_t)frame * hop, count = samples - first < hop ? samples - first : hop;
    const double here = cents[frame], slope = frame + 1 < frames ? (cents[frame + 1] - here) / hop : 0.0;
    for (int i = 0; i < (int)count; i++) turns[first + i] = step * ratio_of(here + slope * (double)i);
  }
  double sum = 0.0;
  for (int64_t i = 0; i < samples; i++) turns[i] = sum += turns[i];
  work->used = used;
  return TS_OK;
}
