/* Levels of bands to samples: magnitudes, phases integrated from them, and a search that makes both consistent (phase/recover.py). */
#include "phase.h"

#include "file.h"

Status phase_open(Phase **out, const File *file, Arena *arena) {
  Phase *phase = TAKE(arena, Phase, 1);
  if (phase == NULL) return TS_MEMORY;
  View *view = &phase->view;
  const Json *settings = json_at(file_header(file), "settings.representation");
  Status status = view_open(view, file, arena);
  if (status == TS_OK) status = fft_open(&phase->fft, (size_t)view->n_fft, arena);
  if (status != TS_OK) return status;
  const Json *method = json_at(settings, "method");
  if (view->n_fft > LANE * view->hop) /* a group of frames reaches into the next one alone */
    return file_fault(file, TS_UNCOVERED, "representation.hop is under an eighth of n_fft, which is not played here");
  if (method != NULL && !json_is(method, "pghi+raar"))
    return file_fault(file, TS_UNCOVERED, "representation.method is another than pghi+raar, which alone is played here");
  if (json_number(json_at(settings, "refine"), 0.0) != 0.0)
    return file_fault(file, TS_UNCOVERED, "representation.refine is over 0: its gradient descent is not played here");
  size_t bins = (size_t)view->bins;
  phase->window = view_window(view, arena), phase->turns = TAKE(arena, double, bins);
  phase->upper = TAKE(arena, int32_t, bins), phase->share = TAKE(arena, float, bins), phase->band = TAKE(arena, int32_t, bins);
  if (!phase->window || !phase->turns || !phase->upper || !phase->share || !phase->band) return TS_MEMORY;
  int upper = 1, band = 0;
  for (int bin = 0; bin < view->bins; bin++) {
    while (bin >= view->edges[band + 1]) band++;
    phase->band[bin] = band;
    phase->turns[bin] = (double)((int64_t)view->hop * bin % view->n_fft) / view->n_fft;
    float high = 0.0f, low = 0.0f;
    for (;; upper++) { /* centres rise, and so does the band over a bin */
      high = (float)(view->edges[upper + 1] + view->edges[upper] - 1) / 2.0f;
      if (high >= (float)bin || upper == view->bands - 1) break;
    }
    low = (float)(view->edges[upper] + view->edges[upper - 1] - 1) / 2.0f;
    float share = ((float)bin - low) / (high - low);
    phase->upper[bin] = upper;
    phase->share[bin] = share < 0.0f ? 0.0f : share > 1.0f ? 1.0f : share;
  }
  *out = phase;
  return TS_OK;
}

int phase_bins(const Phase *phase) { return phase->view.bins; }

size_t phase_work_size(const Phase *phase, int64_t samples) {
  uint64_t frames = ((uint64_t)samples / (uint64_t)phase->view.hop + 1 + LANE) / LANE * LANE + LANE;
  uint64_t bins = (uint64_t)phase->view.bins, bands = (uint64_t)phase->view.bands, n = (uint64_t)phase->view.n_fft;
  /* magnitude, phases, level, queue; least, most, gain; spectrum and the one before it; padded audio and its weight; scratch */
  uint64_t cells = frames * bins, wave = frames * (uint64_t)phase->view.hop + 2 * n;
  uint64_t size = cells * (4 + 4 + 4 + 4 + 1 + 8 + 8) + frames * bands * 12 + wave * 8 + n * 256;
  return (size_t)(size + (1u << 20));
}

void phase_to_channels(float *audio, int parts, int64_t samples) {
  for (int64_t i = 0; parts == 2 && i < samples; i++) {
    float middle = audio[i], side = audio[samples + i];
    audio[i] = middle + side, audio[samples + i] = middle - side;
  }
}

Status phase_render(const Phase *phase, const Levels *levels, int64_t samples, uint64_t seed, int steps, float *audio, Arena *work) {
  if (phase == NULL) return TS_UNCOVERED;
  const View *view = &phase->view;
  int fits = levels->parts == view->channels && levels->bands == view->bands && levels->frames == 1 + samples / view->hop;
  if (samples < 1 || steps < 0 || !fits) return TS_ARGUMENT;
  size_t used = work->used, cells = (size_t)levels->frames * (size_t)levels->bands;
  float loudest = levels->db[0];
  for (size_t i = 0; i < cells * (size_t)levels->parts; i++) loudest = levels->db[i] > loudest ? levels->db[i] : loudest;
  for (int part = 0; part < levels->parts; part++) {
    Target target;
    float *out = audio + (size_t)part * (size_t)samples;
    Status status = phase_target(phase, levels->db + (size_t)part * cells, levels->frames, loudest, &target, work);
    if (status != TS_OK) return work->used = used, status;
    uint32_t *turns = TAKE(work, uint32_t, (size_t)target.frames * (size_t)view->bins);
    if (turns == NULL) return work->used = used, TS_MEMORY;
    if (target.loudest > 0.0f) {
      status = phase_integrate(phase, &target, seed + (uint64_t)part, turns, work);
      if (status == TS_OK) status = phase_search(phase, &target, turns, steps, samples, out, work);
    } else {
      for (int64_t i = 0; i < samples; i++) out[i] = 0.0f;
    }
    work->used = used;
    if (status != TS_OK) return status;
  }
  phase_to_channels(audio, levels->parts, samples);
  return TS_OK;
}
