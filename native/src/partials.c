/* Separates the levels of a note into partials at multiples of its pitch and what is between them (synthesis/harmonic/partials.py). */
#include "note.h"

#include "lanes.h"

enum { REACH = 5, STEPS = 4, MOST_LOBE = 2 * REACH + 1 };
static const double TOP = 0.98; /* of half the sample rate */

/* The share of every band in the power of one partial, through a Hann window. */
typedef struct {
  int first, count;
  float weight[MOST_LOBE], total;
} Lobe;

/* sin(pi x) / (pi x) of x - 1, x and x + 1, which share their sine, weighed as a Hann window does. */
static double hann_lobe(double x) {
  const double pi = 3.14159265358979324, sine = ts_sin_turns(x / 2.0);
  double at[3] = {x - 1.0, x, x + 1.0}, value[3];
  for (int i = 0; i < 3; i++) value[i] = at[i] == 0.0 ? 1.0 : (i == 1 ? sine : -sine) / (pi * at[i]);
  return 0.5 * value[1] + 0.25 * (value[0] + value[2]);
}

static void open_lobe(const Note *note, double hertz, Lobe *lobe) {
  const View *view = &note->view;
  const double place = hertz * ((double)view->n_fft / view->rate);
  *lobe = (Lobe){.total = 1e-9f};
  double power[MOST_LOBE], sum = 0.0;
  int first = (int)ts_floor(place - REACH) + 1, bins = 0; /* place: under 2^31 as the partial is under half the sample rate, or bin count */
  first = first > 0 ? first : 0;
  for (int bin = first; bin < view->bins && (double)bin - place < REACH && bins < MOST_LOBE; bin++, bins++) {
    double lobe_at = hann_lobe((double)bin - place);
    sum += power[bins] = lobe_at * lobe_at;
  }
  if (bins == 0 || !(sum > 0.0)) return;
  lobe->first = note->band[first];
  lobe->count = note->band[first + bins - 1] - lobe->first + 1;
  double shares[MOST_LOBE] = {0}, total = 0.0;
  for (int i = 0; i < bins; i++) shares[note->band[first + i] - lobe->first] += power[i] / sum;
  for (int i = 0; i < lobe->count; i++) total += (double)(lobe->weight[i] = (float)shares[i]);
  lobe->total = total > 1e-9 ? (float)total : 1e-9f;
}

static void estimate(const Lobe *lobes, int partials, const F8 *level, F8 *sum, size_t bands) {
  for (size_t i = 0; i < bands; i++) sum[i] = (F8){0};
  for (int k = 0; k < partials; k++) {
    F8 *at = sum + lobes[k].first;
    const F8 here = level[k];
    for (int j = 0; j < lobes[k].count; j++) at[j] += lobes[k].weight[j] * here;
  }
}

/* Powers of the partials in eight frames, [partials], and what they explain, [bands]: a non-negative factorisation with known spectra. */
static void factorise(const Lobe *lobes, int partials, const F8 *power, F8 *ratio, F8 *sum, F8 *level, size_t bands) {
  const F8 least = all8(1e-20f);
  for (int k = 0; k < partials; k++) {
    level[k] = (F8){0};
    for (int j = 0; j < lobes[k].count; j++) level[k] += lobes[k].weight[j] * power[lobes[k].first + j];
  }
  for (int step = 0; step < STEPS; step++) {
    estimate(lobes, partials, level, sum, bands);
    for (size_t i = 0; i < bands; i++) ratio[i] = power[i] / max8(sum[i], least);
    for (int k = 0; k < partials; k++) {
      F8 found = {0};
      for (int j = 0; j < lobes[k].count; j++) found += lobes[k].weight[j] * ratio[lobes[k].first + j];
      level[k] = level[k] * found / lobes[k].total;
    }
  }
  estimate(lobes, partials, level, sum, bands);
}

/* The share of the power of a partial that is not noise, for all frames. */
static void take_noise(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, float *row) {
  const int frames = parts->frames;
  const float zone = note_zone(hertz), later = note_share(traits->noise, zone), attack = note_share(traits->attack, zone);
  const float kept = 1.0f - ts_expf(later);
  for (int frame = 0; frame < frames; frame++) {
    float weight = note_attack(note, note_frame(parts, frame));
    if (weight <= 0.0f) {
      for (; frame < frames; frame++) row[frame] *= kept;
    } else {
      row[frame] *= 1.0f - ts_expf(later + (attack - later) * weight);
    }
  }
}

Status note_separate(const Note *note, double hertz, const Traits *traits, NoteParts *parts, Arena *work) {
  const View *view = &note->view;
  const size_t bands = (size_t)view->bands, stride = parts->stride, columns = ROUND_UP(parts->frames);
  const double most = TOP * view->rate / 2.0 / hertz;
  const int partials = most < 1.0 ? 1 : most < MOST_PARTIALS ? (int)most : MOST_PARTIALS;
  parts->partials = partials, parts->columns = columns;
  parts->rows = TAKE(work, float, columns *(size_t)(partials + MOST_LINES));
  parts->rest = TAKE(work, float, stride *(size_t)parts->frames);
  const size_t used = work->used;
  Lobe *lobes = TAKE(work, Lobe, partials);
  F8 *power = TAKE(work, F8, bands), *ratio = TAKE(work, F8, bands), *sum = TAKE(work, F8, bands), *level = TAKE(work, F8, partials);
  if (!parts->rows || !parts->rest || !lobes || !power || !ratio || !sum || !level) return TS_MEMORY;
  for (int k = 0; k < partials; k++) open_lobe(note, hertz * (k + 1), lobes + k);
  for (int start = 0; start < parts->frames; start += LANES) {
    const int inside = parts->frames - start < LANES ? parts->frames - start : LANES;
    const float *from = parts->power + (size_t)start * stride;
    for (size_t i = 0; i < bands; i++)
      for (int lane = 0; lane < LANES; lane++) power[i][lane] = lane < inside ? from[(size_t)lane * stride + i] : 0.0f;
    factorise(lobes, partials, power, ratio, sum, level, bands);
    for (int k = 0; k < partials; k++) store8(parts->rows + (size_t)k * columns + start, level[k]);
    float *rest = parts->rest + (size_t)start * stride;
    for (size_t i = 0; i < bands; i++) {
      const F8 left = power[i] - sum[i];
      for (int lane = 0; lane < inside; lane++) rest[(size_t)lane * stride + i] = left[lane] > 0.0f ? left[lane] : 0.0f;
    }
  }
  work->used = used;
  for (int k = 0; k < partials; k++) take_noise(note, hertz * (k + 1), traits, parts, parts->rows + (size_t)k * columns);
  return note_lines(note, hertz, parts, work);
}
