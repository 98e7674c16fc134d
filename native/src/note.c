/* Notes without a phase search: oscillators for the partials, shaped noise for the rest (synthesis/harmonic/note.py, render.py). */
#include "note.h"

#include "file.h"
#include "ranks.h"
#include "lanes.h"

static const float PER_DB = 0.23025851f;                  /* ln(10) / 10 */
static const float KNEE_DB = -70.0f, MOST_POWER_DB = 200.0f; /* knee: of files of earlier versions */

/* The rows of the categories of the file: 1 + place among those with levels of their own. */
static Status read_rows(Note *note, const File *file, Arena *arena) {
  const Json *labels = json_entry(file_header(file), "note_categories");
  size_t count = json_count(labels), tables = 1;
  if (labels != NULL && json_kind(labels) != JSON_ARRAY) return file_fault(file, TS_DAMAGED, "the categories of notes are damaged");
  note->categories = category_count(file);
  int *row = TAKE(arena, int, note->categories + 1);
  if (row == NULL) return TS_MEMORY;
  for (size_t i = 0; i < note->categories; i++) row[i] = 0;
  for (size_t i = 0; i < count; i++) {
    const Json *label = json_item(labels, i);
    if (json_kind(label) == JSON_NULL) continue;
    if (json_kind(label) != JSON_TEXT) return file_fault(file, TS_DAMAGED, "the categories of notes are damaged");
    int category = category_of(file, label);
    if (category >= 0 && row[category] == 0) row[category] = (int)tables;
    tables++;
  }
  note->row = row, note->rows = (int)tables;
  const int64_t shape[3] = {(int64_t)tables, GROUP_KNOTS, LEVEL_KNOTS};
  return file_floats(file, "notes.levels", 3, shape, -400.0f, 400.0f, &note->levels, arena);
}

static Status make_tables(Note *note, Arena *arena) {
  const View *view = &note->view;
  float *zone = TAKE(arena, float, view->bins);
  int *band = TAKE(arena, int, view->bins);
  note->window = view_window(view, arena);
  if (note->window == NULL || zone == NULL || band == NULL) return TS_MEMORY;
  note->window_energy = 0.375 * view->n_fft; /* the sum of the squared window */
  for (int i = 0, at = 0; i < view->bins; i++) {
    while (at < view->bands - 1 && i >= view->edges[at + 1]) at++;
    band[i] = at;
    zone[i] = note_zone((double)i * view->rate / view->n_fft);
  }
  note->zone = zone, note->band = band;
  return fft_open(&note->fft, (size_t)view->n_fft, arena);
}

Status note_open(Note **out, const File *file, Arena *arena) {
  *out = NULL;
  const Tensor *weights = file_tensor(file, "notes.weights");
  if (weights == NULL && file_tensor(file, "notes.levels") == NULL) return TS_OK;
  if (weights == NULL) return file_fault(file, TS_DAMAGED, "tensor notes.weights is missing; the file is damaged");
  Note *note = TAKE(arena, Note, 1);
  if (note == NULL) return TS_MEMORY;
  *note = (Note){0};
  int64_t dims;
  if (!json_whole(json_at(file_header(file), "settings.model.dims"), 1, MOST_NOTE_DIMS, &dims))
    return file_fault(file, TS_DAMAGED, "settings.model.dims is no whole number from 1 to %d; the file is damaged",
                      (int64_t)MOST_NOTE_DIMS);
  note->dims = (int)dims;
  note->columns = weights->axes == 2 && weights->shape[1] == EARLIER_COLUMNS ? EARLIER_COLUMNS : NOTE_COLUMNS;
  const int64_t shape[2] = {1 + dims, note->columns};
  Status status = view_open(&note->view, file, arena);
  if (status == TS_OK) status = file_floats(file, "notes.weights", 2, shape, -1e6f, 1e6f, &note->weights, arena);
  if (status == TS_OK && file_tensor(file, "notes.levels") != NULL) status = read_rows(note, file, arena);
  if (status == TS_OK) status = make_tables(note, arena);
  if (status == TS_OK) *out = note;
  return status;
}

/* Levels of a new note whose quiet cells are as quiet as those of recorded notes: a row of dB in place. table: NULL for earlier files. */
static void quieten(const Note *note, const float *table, const float *db, float *out, float *share, int *lower) {
  const size_t bands = (size_t)note->view.bands;
  if (table != NULL) {
    level_map(table, bands, (float)note->view.floor, db, out, share, lower);
    return;
  }
  for (size_t i = 0; i < bands; i++) {
    float under = KNEE_DB - db[i];
    out[i] = db[i] - (under > 0.0f ? under : 0.0f);
  }
}

Status note_powers(const Note *note, const Levels *levels, int part, int category, NoteParts *parts, Arena *work) {
  const size_t bands = (size_t)note->view.bands, stride = ROUND_UP(bands);
  const float least = (float)(1.0 - note->view.floor);
  float *table = NULL;
  parts->frames = levels->frames, parts->stride = stride;
  parts->power = TAKE(work, float, stride *(size_t)levels->frames);
  if (parts->power == NULL) return TS_MEMORY;
  const size_t used = work->used;
  if (note->levels != NULL) {
    table = TAKE(work, float, LEVEL_KNOTS *bands);
    if (table == NULL) return TS_MEMORY;
    size_t row = category >= 0 && (size_t)category < note->categories ? (size_t)note->row[category] : 0;
    level_table(note->levels + row * GROUP_KNOTS * LEVEL_KNOTS, bands, table);
  }
  float *db = TAKE(work, float, stride), *width = TAKE(work, float, stride), *share = TAKE(work, float, stride);
  int *lower = TAKE(work, int, stride);
  if (db == NULL || width == NULL || share == NULL || lower == NULL) return TS_MEMORY;
  for (size_t i = 0; i < bands; i++) width[i] = (float)(note->view.edges[i + 1] - note->view.edges[i]);
  for (int frame = 0; frame < levels->frames; frame++) {
    float *power = parts->power + (size_t)frame * stride;
    quieten(note, table, levels->db + ((size_t)part * (size_t)levels->frames + (size_t)frame) * bands, db, share, lower);
    for (size_t i = 0; i < bands; i++) power[i] = (db[i] < MOST_POWER_DB ? db[i] : MOST_POWER_DB) * PER_DB;
    ts_exp_array(power, power, bands);
    for (size_t i = 0; i < bands; i++) power[i] = db[i] > least ? power[i] * width[i] : 0.0f; /* not for NaN */
    for (size_t i = bands; i < stride; i++) power[i] = 0.0f;
  }
  work->used = used;
  return TS_OK;
}

static Status render_part(const Note *note, const Levels *levels, int part, int category, double hertz, const Traits *traits,
                          const double *turns, const float *white, uint64_t seed, int64_t samples, float *audio, Arena *work) {
  const size_t used = work->used;
  NoteParts parts = {0};
  for (int64_t i = 0; i < samples; i++) audio[i] = 0.0f;
  Status status = note_powers(note, levels, part, category, &parts, work);
  if (status == TS_OK) status = note_separate(note, hertz, traits, &parts, work);
  if (status == TS_OK) status = note_tones(note, hertz, traits, &parts, turns, samples, seed, audio, work);
  if (status == TS_OK) status = note_noise(note, hertz, traits, &parts, white, samples, audio, work);
  work->used = used;
  return status;
}

Status note_render(const Note *note, const Levels *levels, const float *z, int category, double midi, uint64_t seed, int64_t samples,
                   float *audio, Arena *work) {
  const View *view = &note->view;
  if (!(midi >= -100.0 && midi <= 250.0) || samples < 1 || levels->parts != view->channels || levels->bands != view->bands ||
      levels->frames != 1 + samples / view->hop || levels->frames > 1 << 19)
    return TS_ARGUMENT;
  const size_t used = work->used, n = (size_t)samples;
  const double hertz = ts_midi_hertz(midi);
  const Traits traits = note_traits(note, z);
  double *turns = TAKE(work, double, n);
  float *white = TAKE(work, float, n *(size_t)levels->parts);
  if (turns == NULL || white == NULL) return TS_MEMORY;
  Noise noise;
  noise_open(&noise, seed, NOISE_NOTE, 3, 0, 0);
  noise_normalf(&noise, white, n * (size_t)levels->parts);
  Status status = note_turns(note, hertz, &traits, levels->frames, samples, seed, turns, work);
  for (int part = 0; part < levels->parts && status == TS_OK; part++)
    status = render_part(note, levels, part, category, hertz, &traits, turns, white + (size_t)part * n, seed, samples,
                         audio + (size_t)part * n, work);
  if (levels->parts == 2 && status == TS_OK)
    for (size_t i = 0; i < n; i++) {
      float middle = audio[i], side = audio[n + i];
      audio[i] = middle + side, audio[n + i] = middle - side;
    }
  work->used = used;
  return status;
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

size_t note_work_size(const Note *note, int64_t samples) {
  const size_t n = (size_t)(samples > 0 ? samples : 1), hop = (size_t)note->view.hop, window = (size_t)note->view.n_fft;
  const size_t frames = 1 + n / hop, columns = ROUND_UP(frames), stride = ROUND_UP(note->view.bands);
  const size_t size = note_band_size((int)(n / hop) + 1), fft = 64 * size; /* a transform's tables and scratch take 64 bytes a value */
  const size_t wander = 24 * size + fft;
  const size_t quieten = 4 * stride * (LEVEL_KNOTS + 4), separate = (6 * 32 + 64) * (stride + MOST_PARTIALS);
  const size_t kept = 4 * stride * frames * 2 + 4 * columns * MOST_ROWS; /* power, rest, rows */
  const size_t tones = 8 * frames + 4 * MOST_ROWS * frames + 8 * window + 12 * size + 8 * size * 16 + fft + 8 * 4 * MOST_ROWS;
  const size_t noise = 40 * window + 8 * window * 8 + 8 * n + 64 * window;
  const size_t part = kept + most(most(quieten, separate), most(tones, noise));
  return 8 * n + 4 * n * (size_t)note->view.channels + most(wander, part) + 64 * 128; /* each piece begins at a multiple of 64 */
}
