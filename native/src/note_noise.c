/* The noise of a note: white noise, filtered frame by frame (render.py, _noise). */
#include "lanes.h"
#include "note.h"

enum { BATCH = 8 };
static const double BELOW = 0.5, STROKE_S = 0.04; /* of the fundamental: no partial is under it; what is no partial is kept that long */
static const float LEAST_OVERLAP = 1e-8f;

typedef struct {
  const Note *note;
  const NoteParts *parts;
  float *later, *attack; /* logarithms of the share of noise of every bin; later: as share */
  float *by_bin, *share, *count; /* count: 1 / bins in the mean around it */
  double *sums;
  int half, below; /* bins on either side in the mean; bins under the fundamental */
} Shape;

static Status shape_open(Shape *shape, const Note *note, double hertz, const Traits *traits, const NoteParts *parts, Arena *work) {
  const View *view = &note->view;
  const int bins = view->bins;
  const double width = round_half_even(hertz * view->n_fft / view->rate);
  *shape = (Shape){.note = note, .parts = parts};
  shape->half = width / 2.0 < bins ? (int)(width / 2.0) : bins;
  while (shape->below < bins && (float)((double)shape->below * view->rate / view->n_fft) < BELOW * hertz) shape->below++;
  shape->later = TAKE(work, float, bins), shape->attack = TAKE(work, float, bins), shape->by_bin = TAKE(work, float, bins);
  shape->share = TAKE(work, float, bins), shape->count = TAKE(work, float, bins), shape->sums = TAKE(work, double, bins + 1);
  if (!shape->later || !shape->attack || !shape->by_bin || !shape->share || !shape->count || !shape->sums) return TS_MEMORY;
  for (int i = 0; i < bins; i++) {
    int first = i - shape->half > 0 ? i - shape->half : 0, last = i + shape->half + 1 < bins ? i + shape->half + 1 : bins;
    shape->count[i] = 1.0f / (float)(last - first);
    shape->later[i] = note_share(traits->noise, note->zone[i]), shape->attack[i] = note_share(traits->attack, note->zone[i]);
  }
  return TS_OK;
}

static void shares(Shape *shape, int frame) {
  const size_t bins = (size_t)shape->note->view.bins;
  const float weight = note_attack(shape->note, note_frame(shape->parts, frame));
  if (frame > 0 && weight <= 0.0f && note_attack(shape->note, note_frame(shape->parts, frame - 1)) <= 0.0f) return; /* as in the last frame */
  for (size_t i = 0; i < bins; i++) shape->share[i] = shape->later[i] + (shape->attack[i] - shape->later[i]) * weight;
  ts_exp_array(shape->share, shape->share, bins);
}

/* The power around a bin near the first or last one. */
static float sum_around(const Shape *shape, int bin) {
  const int bins = shape->note->view.bins;
  const int first = bin > shape->half ? bin - shape->half : 0, last = bin + shape->half + 1 < bins ? bin + shape->half + 1 : bins;
  return (float)(shape->sums[last] - shape->sums[first]);
}

/* Gains of white noise in one frame, [bins]. */
static void gains(Shape *shape, int frame, float *gain) {
  const View *view = &shape->note->view;
  const int bins = view->bins, half = shape->half;
  const float *power = shape->parts->power + (size_t)frame * shape->parts->stride;
  const float *rest = shape->parts->rest + (size_t)frame * shape->parts->stride;
  double sum = 0.0;
  shape->sums[0] = 0.0;
  for (int band = 0; band < view->bands; band++) {
    const float mean = power[band] / (float)(view->edges[band + 1] - view->edges[band]);
    for (int i = view->edges[band]; i < view->edges[band + 1]; i++) {
      shape->by_bin[i] = mean;
      shape->sums[i + 1] = sum += (double)mean;
    }
  }
  const int from = half < bins ? half : bins, to = bins - half > from ? bins - half : from;
  for (int i = 0; i < from; i++) gain[i] = sum_around(shape, i);
  for (int i = to; i < bins; i++) gain[i] = sum_around(shape, i);
  for (int i = from; i < to; i++) gain[i] = (float)(shape->sums[i + half + 1] - shape->sums[i - half]);
  for (int i = 0; i < bins; i++) gain[i] = (gain[i] > 0.0f ? gain[i] * shape->count[i] : 0.0f) * shape->share[i];
  for (int i = 0; i < shape->below; i++) gain[i] = shape->by_bin[i] * shape->share[i];
  const float stroke = (float)(1.0 - (double)note_frame(shape->parts, frame) * view->hop / view->rate / STROKE_S);
  if (stroke > 0.0f)
    for (int band = 0; band < view->bands; band++) {
      const float more = rest[band] / (float)(view->edges[band + 1] - view->edges[band]) * stroke;
      for (int i = view->edges[band]; i < view->edges[band + 1]; i++) gain[i] += more;
    }
  const float energy = (float)shape->note->window_energy;
  for (int i = 0; i < bins; i++) gain[i] = __builtin_sqrtf(gain[i] / energy);
}

static void cut(const Note *note, const float *white, int64_t samples, int frame, float *out) {
  const int64_t n = note->view.n_fft, start = (int64_t)frame * note->view.hop - n / 2;
  const int64_t first = start < 0 ? -start : 0, last = samples - start < n ? samples - start : n;
  for (int64_t i = 0; i < first; i++) out[i] = 0.0f;
  for (int64_t i = first; i < last; i++) out[i] = white[start + i] * note->window[i];
  for (int64_t i = last > first ? last : first; i < n; i++) out[i] = 0.0f;
}

static void overlap(const Note *note, const float *piece, int64_t samples, int frame, float *sum, float *weight) {
  const int64_t n = note->view.n_fft, start = (int64_t)frame * note->view.hop - n / 2;
  const int64_t first = start < 0 ? -start : 0, last = samples - start < n ? samples - start : n;
  const float *window = note->window;
  for (int64_t i = first; i < last; i++) {
    sum[start + i] += piece[i] * window[i];
    weight[start + i] += window[i] * window[i];
  }
}

Status note_noise(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, const float *white, int64_t samples,
                  float *audio, Arena *work) {
  const View *view = &note->view;
  const size_t used = work->used, bins = (size_t)view->bins, n = (size_t)view->n_fft;
  Shape shape;
  Status status = shape_open(&shape, note, hertz, traits, parts, work);
  if (status != TS_OK) return status;
  float *pieces = TAKE(work, float, n *BATCH), *spectra = TAKE(work, float, 2 * bins * BATCH), *gain = TAKE(work, float, bins);
  float *sum = TAKE(work, float, samples), *weight = TAKE(work, float, samples);
  if (!pieces || !spectra || !gain || !sum || !weight) return TS_MEMORY;
  for (int64_t i = 0; i < samples; i++) sum[i] = weight[i] = 0.0f;
  for (int start = 0; start < parts->frames; start += BATCH) {
    const int count = parts->frames - start < BATCH ? parts->frames - start : BATCH;
    for (int i = 0; i < count; i++) cut(note, white, samples, start + i, pieces + (size_t)i * n);
    status = fft_forward(note->fft, pieces, spectra, (size_t)count, work);
    if (status != TS_OK) return status;
    for (int i = 0; i < count; i++) {
      float *at = spectra + (size_t)i * 2 * bins;
      shares(&shape, start + i);
      gains(&shape, start + i, gain);
      for (size_t k = 0; k < bins; k++) at[2 * k] *= gain[k], at[2 * k + 1] *= gain[k];
    }
    status = fft_inverse(note->fft, spectra, pieces, (size_t)count, work);
    if (status != TS_OK) return status;
    for (int i = 0; i < count; i++) overlap(note, pieces + (size_t)i * n, samples, start + i, sum, weight);
  }
  for (int64_t i = 0; i < samples; i++) audio[i] += sum[i] / (weight[i] > LEAST_OVERLAP ? weight[i] : LEAST_OVERLAP);
  work->used = used;
  return TS_OK;
}

Status note_densities(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, float *out, Arena *work) {
  const size_t used = work->used, bins = (size_t)note->view.bins;
  Shape shape;
  Status status = shape_open(&shape, note, hertz, traits, parts, work);
  for (int frame = 0; frame < parts->frames && status == TS_OK; frame++) {
    float *row = out + (size_t)frame * bins;
    shares(&shape, frame);
    gains(&shape, frame, row);
    for (size_t i = 0; i < bins; i++) row[i] = row[i] * row[i] * 2.0f / (float)note->view.rate; /* of white noise with a deviation of 1 */
  }
  work->used = used;
  return status;
}
