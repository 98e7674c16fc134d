/* ts_near: a latent to a sound with the detail of a given one. */
#include "near.h"

#include "instrument.h"

static const float LOUDEST_DB = 200.0f;
enum { END_FRAMES = 8 };

static Status refuse(ts_memory *work, const char *name, double given, double low, double high) {
  text_format(work->message, sizeof work->message, "%s is %f, allowed is %f to %f", name, given, low, high);
  return TS_ARGUMENT;
}

/* Whether n numbers are finite and of a size that levels and magnitudes have. */
static int all_within(const float *x, size_t n, float most) {
  int fine = 1;
  for (size_t i = 0; i < n; i++) fine &= (x[i] <= most) & (x[i] >= -most);
  return fine;
}

static Status check(const ts_instrument *instrument, const ts_near_request *request, const float *sound, ts_memory *work) {
  const Model *model = instrument->model;
  size_t cells = (size_t)request->frames;
  int bins = (int)phase_bins(instrument->phase);
  if (request->frames < 1 || request->frames > model->frames) return refuse(work, "frames", request->frames, 1, (double)model->frames);
  if (request->samples < 1 || request->samples > model->samples) return refuse(work, "samples", request->samples, 1, (double)model->samples);
  if (request->attack < 0 || request->attack >= request->frames) return refuse(work, "attack", request->attack, 0, request->frames - 1);
  if (request->held < 0 || request->held > 1 << 20) return refuse(work, "held", request->held, 0, 1 << 20);
  if (request->bins != bins) return refuse(work, "bins", request->bins, bins, bins);
  if (request->what < TS_SAMPLES || request->what > TS_DESCRIPTORS) return refuse(work, "what", request->what, TS_SAMPLES, TS_DESCRIPTORS);
  if (!(request->kept >= 0.0f && request->kept <= 1.0f)) return refuse(work, "kept", (double)request->kept, 0, 1);
  if (!(request->level >= -LOUDEST_DB && request->level <= LOUDEST_DB))
    return refuse(work, "level", (double)request->level, (double)-LOUDEST_DB, (double)LOUDEST_DB);
  cells *= (size_t)model->parts * (4 * (size_t)model->bands + 2 * (size_t)bins);
  if (all_within(sound, cells, 1e9f)) return TS_OK;
  text_format(work->message, sizeof work->message, "the given sound holds numbers that are not finite or over 1e9");
  return TS_ARGUMENT;
}

size_t near_work_size(const ts_instrument *instrument, int64_t samples) {
  const Model *model = instrument->model;
  size_t frames = (size_t)(samples / model->hop + 1), levels = near_levels_size(model->parts, (int)frames, model->bands);
  size_t spectra = near_samples_size(instrument->phase, samples);
  /* decoded levels, and those with drawn detail */
  return (size_t)model->parts * frames * (size_t)model->bands * sizeof(float) + (levels > spectra ? levels : spectra) + 4096 +
         levels_measure_size(instrument->phase, samples);
}

static Given given_of(const ts_instrument *instrument, const ts_near_request *request, const float *sound) {
  const Model *model = instrument->model;
  size_t cells = (size_t)model->parts * (size_t)request->frames, bands = cells * (size_t)model->bands;
  Given given = {.parts = model->parts, .frames = request->frames, .bands = model->bands, .bins = request->bins, .level = request->level};
  given.attack = request->attack, given.held = request->held;
  given.levels = sound, given.slow = sound + bands, given.fast = sound + 2 * bands, given.steady = sound + 3 * bands;
  given.magnitude = sound + 4 * bands, given.turns = given.magnitude + cells * (size_t)request->bins;
  return given;
}

/* Levels with detail that is drawn as for a new sound. */
static Status drawn_levels(const ts_instrument *instrument, const float *z, const ts_near_request *request, const Levels *base, Levels *out,
                           Arena *work) {
  size_t count = (size_t)base->parts * (size_t)base->frames * (size_t)base->bands;
  *out = *base;
  out->db = TAKE(work, float, count);
  if (out->db == NULL) return TS_MEMORY;
  memcpy(out->db, base->db, count * sizeof(float));
  if (instrument->detail != NULL) return detail_add(instrument->detail, z, -1, request->seed, out, work);
  return texture_add(instrument->texture, request->seed, request->samples, out, work);
}

/* The mean power of the last frames, dB. */
static float end_of(const Levels *levels) {
  int first = levels->frames > END_FRAMES ? levels->frames - END_FRAMES : 0;
  size_t n = (size_t)levels->bands;
  double sum = 0.0;
  for (int part = 0; part < levels->parts; part++)
    for (size_t i = (size_t)first * n; i < (size_t)levels->frames * n; i++)
      sum += (double)ts_expf(levels->db[(size_t)part * (size_t)levels->frames * n + i] * 0.23025851f);
  sum /= (double)levels->parts * (double)(levels->frames - first) * (double)n;
  return (float)(10.0 * ts_log10(sum > 1e-20 ? sum : 1e-20));
}

static Status make(const ts_instrument *instrument, const float *z, ts_near_request *request, const float *sound, float *out,
                   int32_t capacity, int32_t *samples, ts_memory *memory, Arena *work) {
  const Model *model = instrument->model;
  int64_t length = request->samples;
  Levels levels, drawn = {.db = NULL};
  Given given = given_of(instrument, request, sound);
  Change change = {.kept = request->kept, .floor = model->floor, .seed = request->seed};
  Status status = model_decode(model, z, &length, &levels, work);
  if (status != TS_OK) return status;
  size_t count = (size_t)levels.parts * (size_t)levels.frames * (size_t)levels.bands, channels = (size_t)model->channels;
  int64_t room = request->what == TS_SAMPLES ? length : request->what == TS_LEVELS ? (int64_t)count : DESCRIPTORS;
  if (room > capacity) return refuse(memory, "capacity", capacity, (double)room, 2147483647.0);
  size_t used = work->used;
  if (instrument->note == NULL) status = drawn_levels(instrument, z, request, &levels, &drawn, work);
  change.drawn = drawn.db;
  int attack = 0;
  if (status == TS_OK) status = near_levels(&given, &change, &levels, &attack, work);
  work->used = used;
  if (status != TS_OK) return status;
  if (request->what == TS_DESCRIPTORS) return levels_measure(instrument->phase, &levels, out, work);
  if (request->what == TS_LEVELS) {
    memcpy(out, levels.db, count * sizeof(float));
    *samples = levels.frames;
    return TS_OK;
  }
  for (size_t i = 0; i < count; i++) levels.db[i] += request->level;
  request->end = end_of(&levels);
  float *audio = TAKE(work, float, (size_t)length * channels);
  if (audio == NULL) return TS_MEMORY;
  status = near_samples(instrument->phase, &given, &levels, attack, request->kept, length, request->seed, new_sound_steps(instrument), audio, work);
  if (status != TS_OK) return status;
  if (!all_within(audio, (size_t)length * channels, 3e38f)) return TS_DAMAGED;
  for (size_t c = 0; c < channels; c++) memcpy(out + c * (size_t)capacity, audio + c * (size_t)length, (size_t)length * sizeof(float));
  *samples = (int32_t)length;
  return TS_OK;
}

ts_status ts_near(const ts_instrument *instrument, const float *z, ts_near_request *request, const float *sound, float *out,
                  int32_t capacity, int32_t *samples, ts_memory *work) {
  if (instrument == NULL || z == NULL || request == NULL || sound == NULL || out == NULL || samples == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  Status status = check(instrument, request, sound, work);
  if (status == TS_OK) status = make(instrument, z, request, sound, out, capacity, samples, work, &arena);
  return finished(work, &arena, status);
}

static Status check_latent(const ts_instrument *instrument, const float *z, ts_memory *work) {
  for (int i = 0; i < instrument->model->dims; i++)
    if (!(z[i] >= -1e6f && z[i] <= 1e6f)) {
      text_format(work->message, sizeof work->message, "number %d of the latent is %f, allowed are finite numbers", (int64_t)i, (double)z[i]);
      return TS_ARGUMENT;
    }
  return TS_OK;
}

ts_status ts_measure(const ts_instrument *instrument, const float *z, float *descriptors, ts_memory *work) {
  if (instrument == NULL || z == NULL || descriptors == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  int64_t samples = 0;
  Levels levels;
  Status status = check_latent(instrument, z, work);
  if (status == TS_OK) status = model_decode(instrument->model, z, &samples, &levels, &arena);
  if (status == TS_OK) status = levels_measure(instrument->phase, &levels, descriptors, &arena);
  return finished(work, &arena, status);
}

ts_status ts_length(const ts_instrument *instrument, const float *z, int32_t *samples, ts_memory *work) {
  if (instrument == NULL || z == NULL || samples == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  Status status = check_latent(instrument, z, work);
  int64_t length = status == TS_OK ? model_length(instrument->model, z, &arena) : 0;
  if (status == TS_OK && length < 1) status = TS_MEMORY;
  if (status == TS_OK) *samples = (int32_t)length;
  return finished(work, &arena, status);
}
