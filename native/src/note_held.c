/* Tones and noise of some frames of a note, for voices that are held. */
#include "file.h"
#include "instrument.h"
#include "note.h"

/* Amplitudes of partials and lines from their powers over all bins, [frame][TS_TONES]; see window_energy in note_tones.c. */
static void amplitudes(const Note *note, const NoteParts *parts, int64_t samples, float *out) {
  const View *view = &note->view;
  const int64_t n = view->n_fft, half = n / 2;
  for (int frame = 0; frame < parts->frames; frame++) {
    const int64_t centre = (int64_t)parts->number[frame] * view->hop, last = samples - centre + half, first = half - centre;
    double inside = 0.0;
    for (int64_t i = first > 0 ? first : 0; i < (last < n ? last : n); i++) inside += (double)note->window[i] * note->window[i];
    const double least = 1e-3 * note->window_energy, energy = (double)n * (inside > least ? inside : least);
    float *row = out + (size_t)frame * TS_TONES;
    for (int k = 0; k < TS_TONES; k++) row[k] = 0.0f;
    for (int k = 0; k < parts->partials + parts->lines; k++) {
      const float power = parts->rows[(size_t)k * parts->columns + (size_t)frame];
      row[k < parts->partials ? k : MOST_PARTIALS + k - parts->partials] = power > 0.0f ? 2.0f * (float)ts_sqrt((double)power / energy) : 0.0f;
    }
  }
}

/* The frames of the middle, or the only, channel that were asked for. */
static Status pick(const Note *note, Levels *levels, const int32_t *frames, int count, int32_t *number, Arena *work) {
  const size_t bands = (size_t)levels->bands;
  float *db = TAKE(work, float, bands *(size_t)count);
  if (db == NULL) return TS_MEMORY;
  for (int i = 0; i < count; i++) {
    number[i] = frames[i] < levels->frames ? frames[i] : levels->frames - 1;
    __builtin_memcpy(db + (size_t)i * bands, levels->db + (size_t)number[i] * bands, bands * sizeof *db);
  }
  *levels = (Levels){note->view.channels, count, (int)bands, db};
  return TS_OK;
}

static Status held(const ts_instrument *instrument, const float *z, ts_note_request *request, const int32_t *frames, float *tones, float *noise,
                   Arena *work) {
  const Note *note = instrument->note;
  const double hertz = ts_midi_hertz((double)notes_midi(&instrument->model->notes, z[instrument->model->dims - 1]));
  const Traits traits = note_traits(note, z);
  int64_t samples = 0;
  Levels levels;
  int32_t *number = TAKE(work, int32_t, request->count);
  Status status = number == NULL ? TS_MEMORY : model_decode(instrument->model, z, &samples, &levels, work);
  if (status != TS_OK) return status;
  const int whole = levels.frames;
  NoteParts parts = {.number = number};
  status = pick(note, &levels, frames, request->count, number, work);
  if (status == TS_OK) status = note_powers(note, &levels, 0, request->category, &parts, work);
  if (status == TS_OK) status = note_separate(note, hertz, &traits, &parts, work);
  if (status == TS_OK) status = note_densities(note, hertz, &traits, &parts, noise, work);
  if (status != TS_OK) return status;
  amplitudes(note, &parts, samples, tones);
  request->frames = whole, request->bins = note->view.bins, request->partials = parts.partials, request->lines = parts.lines;
  request->hop = (float)((double)note->view.hop / note->view.rate), request->spacing = (float)((double)note->view.rate / note->view.n_fft);
  request->hertz = (float)hertz;
  request->flutter = (float)traits.flutter, request->wander = (float)traits.wander, request->rate = (float)traits.rate;
  for (int i = 0; i < TS_LINES; i++) request->places[i] = i < parts.lines ? (float)(parts.place[i] / hertz) : 0.0f;
  return TS_OK;
}

int32_t ts_note_bins(const ts_instrument *instrument) {
  return instrument != NULL && instrument->note != NULL ? instrument->note->view.bins : 0;
}

ts_status ts_note_parts(const ts_instrument *instrument, const float *z, ts_note_request *request, const int32_t *frames, float *tones,
                        float *noise, ts_memory *work) {
  if (instrument == NULL || z == NULL || request == NULL || frames == NULL || tones == NULL || noise == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  if (instrument->note == NULL) return finished(work, &arena, TS_UNCOVERED);
  int fine = request->count >= 1 && request->count <= instrument->model->frames;
  fine = fine && request->category >= -1 && request->category < (int)category_count(instrument->file);
  for (int i = 0; fine && i < request->count; i++) fine = frames[i] >= (i ? frames[i - 1] : 0);
  if (!fine) return finished(work, &arena, TS_ARGUMENT);
  return finished(work, &arena, held(instrument, z, request, frames, tones, noise, &arena));
}
